using System.Text;
using Toolkit.Data;
using Toolkit.Tests.Decoding;

namespace Toolkit.Tests.Data;

public sealed class TokenizedCorpusTests
{
    private static readonly string[] Documents = ["My fellow citizens,", "", "Café – naïve façade, 東京.", "the state of the union"];

    [Fact]
    public void Documents_follow_each_other_with_the_end_of_text_behind_each()
    {
        var tokenizer = TinyModel.Tokenizer;
        Assert.True(tokenizer.EndOfTextId >= 0);
        var corpus = TokenizedCorpus.From(tokenizer, Documents);
        Assert.Equal(Documents.SelectMany(d => tokenizer.Encode(d).Append(tokenizer.EndOfTextId)), corpus.Ids);
    }

    [Fact]
    public void Bytes_are_those_of_the_text_and_add_up_over_ranges()
    {
        var corpus = TokenizedCorpus.From(TinyModel.Tokenizer, Documents);
        Assert.Equal(Documents.Sum(Encoding.UTF8.GetByteCount), corpus.Bytes);
        var half = corpus.Ids.Length / 2;
        Assert.Equal(corpus.Bytes, corpus.BytesOf(0, half) + corpus.BytesOf(half, corpus.Ids.Length - half));
        Assert.Equal(Documents[0].Length, corpus.BytesOf(0, TinyModel.Tokenizer.Encode(Documents[0]).Length));
    }

    [Fact]
    public void The_order_does_not_depend_on_threads_and_the_fingerprint_tells_corpora_apart()
    {
        var many = Enumerable.Range(0, 500).Select(i => $"document {i}").ToArray();
        var (a, b) = (TokenizedCorpus.From(TinyModel.Tokenizer, many), TokenizedCorpus.From(TinyModel.Tokenizer, many));
        Assert.Equal(a.Ids, b.Ids);
        Assert.Equal(a.Fingerprint, b.Fingerprint);
        Assert.NotEqual(a.Fingerprint, TokenizedCorpus.From(TinyModel.Tokenizer, many.Reverse()).Fingerprint);
    }

    [Fact]
    public void An_id_outside_of_the_vocabulary_is_refused() =>
        Assert.Contains("id 7 at position 1", Assert.Throws<ArgumentException>(() => TokenizedCorpus.FromIds([0, 7], [1, 1])).Message, StringComparison.Ordinal);
}
