using System.IO.Compression;
using System.Text.Json;
using CsCheck;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

/// <summary>SentencePiece models, written by us and read again, give the tokens of SentencePiece itself for 214 awkward texts.</summary>
public sealed class SentencePieceTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("sentencepiece");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("llama-spm")]
    [InlineData("baichuan")]
    [InlineData("nomic-bert-moe")]
    public void GivesTheSameIds(string name)
    {
        var tokenizer = SavedAndLoaded(name);
        using var stream = new BrotliStream(File.OpenRead(Path.Combine(Fixtures.Folder, "tokenizers", "sentencepiece.json.br")), CompressionMode.Decompress);
        using var document = JsonDocument.Parse(stream);
        var items = document.RootElement.GetProperty(name).EnumerateArray().ToArray();
        Assert.True(items.Length > 200);
        foreach (var item in items)
        {
            Assert.Equal(item.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), tokenizer.Encode(item.GetProperty("text").GetString()!));
        }
    }

    [Fact]
    public void EveryValidTextComesBack()
    {
        // Llama's vocabulary has all bytes and keeps all spaces; its control tokens are told apart from text.
        var tokenizer = SavedAndLoaded("llama-spm");
        Texts.Any.Where(text => text.Length > 0 && Wtf8.IsValid(text) && !text.Contains('▁')).Sample(text =>
        {
            var ids = tokenizer.Encode(text);
            Assert.Equal(text, tokenizer.Decode(ids));
            var decoder = new IncrementalDecoder(tokenizer);
            Assert.Equal(text, string.Concat(ids.Select(decoder.Append)) + decoder.Flush());
        }, iter: 5_000);
    }

    [Fact]
    public void CutsChangeNothing()
    {
        var definition = SentencePieceFile.Read(Saved("llama-spm"), null, null);
        var whole = definition.Model.Encoder();
        var tokenizer = Tokenizer.Of(definition);
        Texts.Any.Where(text => text.Length > 0).Sample(text =>
        {
            var ids = new List<int>();
            whole.Encode(definition.Normalizer!.Normalize(text), ids);
            Assert.Equal(ids, tokenizer.Encode(text));
        }, iter: 5_000);
    }

    [Fact]
    public void PutsABeginningAndFindsControlTokens()
    {
        var tokenizer = SavedAndLoaded("llama-spm");
        Assert.Equal((1, 2), (tokenizer.BeginOfTextId, tokenizer.EndOfTextId));
        Assert.Equal([1, .. tokenizer.Encode("Hello")], tokenizer.Encode("Hello", addSpecialTokens: true));
        Assert.Equal([1, .. tokenizer.Encode("Hello"), 2], tokenizer.Encode("<s>Hello</s>", parseSpecialTokens: true));
        Assert.DoesNotContain(1, tokenizer.Encode("<s>Hello"));
        Assert.Equal("Hello", tokenizer.Decode(tokenizer.Encode("<s>Hello</s>", parseSpecialTokens: true), skipSpecialTokens: true));
        Assert.Equal([0xE2], tokenizer.TokenBytes(3 + 0xE2).ToArray());
        Assert.Equal(" Hello"u8.ToArray(), tokenizer.TokenBytes(tokenizer.Encode("Hello")[0]).ToArray());
    }

    private Tokenizer SavedAndLoaded(string name)
    {
        Saved(name);
        return Tokenizer.Load(_folder.FullName);
    }

    private byte[] Saved(string name)
    {
        Tokenizer.FromGguf(LlamaCppVocabularyTests.Vocabulary(name)).Save(_folder.FullName);
        return File.ReadAllBytes(Path.Combine(_folder.FullName, "tokenizer.model"));
    }
}
