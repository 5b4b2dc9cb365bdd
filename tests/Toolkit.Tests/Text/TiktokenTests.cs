using System.Text;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

public sealed class TiktokenTests
{
    [Fact]
    public void TheRanksOfGpt2GiveItsTokens()
    {
        // GPT-2's ids are its ranks, so its vocabulary can be written as tiktoken has it, without its merges.
        var ranks = Ranks(LlamaCppVocabularyTests.Vocabulary("gpt-2").Tokens);
        foreach (var tokenizer in new[] { Tokenizer.Parse("gpt2.tiktoken", ranks), Tokenizer.FromTiktoken(ranks, SplitExpressions.Gpt2, new Dictionary<string, int> { ["<|endoftext|>"] = 50256 }) })
        {
            foreach (var (text, ids) in LlamaCppVocabularyTests.Vectors("gpt-2"))
            {
                Assert.Equal(ids, tokenizer.Encode(text));
                Assert.Equal(text, tokenizer.Decode(ids));
            }

            Assert.Equal([50256], tokenizer.Encode("<|endoftext|>", parseSpecialTokens: true));
        }
    }

    [Fact]
    public void ANameThatSaysNothingIsRefused() =>
        Assert.Contains("known are cl100k_base", Assert.Throws<NotSupportedException>(() => Tokenizer.Parse("mine.tiktoken", Encoding.ASCII.GetBytes("YQ== 0\n"))).Message);

    [Theory]
    [InlineData("YQ==", "line 1")]
    [InlineData("YQ== 0\n*** 1", "line 2")]
    [InlineData("YQ== 0\nYg== 0", "the rank 0, which another line has too")]
    [InlineData("YQ== 0\nYQ== 1", "the token of rank 1 is listed twice")]
    public void SaysWhatIsWrong(string ranks, string expected) =>
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => Tokenizer.Parse("gpt2.tiktoken", Encoding.ASCII.GetBytes(ranks))).Message);

    [Fact]
    public void ThePossessiveIntervalOfCl100kSplitsDigitsByThree()
    {
        var tokenizer = Tokenizer.FromTiktoken(
            Encoding.ASCII.GetBytes(string.Join('\n', Enumerable.Range(0, 256).Select(value => $"{Convert.ToBase64String([(byte)value])} {value}").Append($"{Convert.ToBase64String("1234"u8)} 256"))),
            @"\p{N}{1,3}+|\P{N}+", new Dictionary<string, int>());
        Assert.Equal("1234".Select(digit => (int)digit), tokenizer.Encode("1234"));
    }

    private static byte[] Ranks(IReadOnlyList<string> tokens) =>
        Encoding.ASCII.GetBytes(string.Join('\n', tokens.Take(50256).Select((token, id) => $"{Convert.ToBase64String(ByteAlphabet.Read(token)!)} {id}")));
}
