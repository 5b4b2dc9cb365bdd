using System.Text;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

public sealed class AddedTokenTests
{
    [Theory]
    [InlineData("""{"lstrip":true}""", "a  <x>  b", "a|<x>|  b")]
    [InlineData("""{"rstrip":true}""", "a  <x>  b", "a  |<x>|b")]
    [InlineData("""{"lstrip":true,"rstrip":true}""", "a <x> <x> b", "a|<x>|<x>|b")]
    [InlineData("""{"single_word":true}""", "a<x> <x>", "a<x> |<x>")]
    [InlineData("""{"normalized":true}""", "A <X> b", "a |<x>| b")]
    [InlineData("""{"normalized":false}""", "A <X> <x>", "a <x> |<x>")]
    public void FollowsItsFlags(string flags, string text, string expected)
    {
        var tokenizer = Read(flags[1..^1], special: false);
        Assert.Equal(expected, Joined(tokenizer, tokenizer.Encode(text)));
    }

    [Fact]
    public void OnlySpecialOnesAreSkippedAndOnlyThoseNeedToBeAskedFor()
    {
        var (word, special) = (Read("\"normalized\":false", special: false), Read("\"normalized\":false", special: true));
        Assert.Contains(100, word.Encode("a<x>"));
        Assert.DoesNotContain(100, special.Encode("a<x>"));
        Assert.Contains(100, special.Encode("a<x>", parseSpecialTokens: true));
        Assert.Equal("a<x>", word.Decode([97, 100], skipSpecialTokens: true));
        Assert.Equal("a", special.Decode([97, 100], skipSpecialTokens: true));
        Assert.Empty(word.SpecialTokens);
        Assert.Single(special.SpecialTokens);
        Assert.Single(word.AddedTokens);
    }

    /// <summary>A vocabulary of ASCII's letters and signs in lower case, and one added token.</summary>
    private static Tokenizer Read(string flags, bool special)
    {
        var vocabulary = string.Join(',', Enumerable.Range(32, 95).Where(value => value is not ('"' or '\\' or 'd')).Select(value => $"\"{(char)value}\":{value}"));
        var json = $$$"""{"added_tokens":[{"id":100,"content":"<x>","special":{{{(special ? "true" : "false")}}},{{{flags}}}}],"normalizer":{"type":"Lowercase"},"model":{"type":"BPE","vocab":{ {{{vocabulary}}} },"merges":[]},"decoder":{"type":"Fuse"}}""";
        return Tokenizer.Parse("tokenizer.json", Encoding.UTF8.GetBytes(json));
    }

    private static string Joined(Tokenizer tokenizer, int[] ids) =>
        string.Join('|', string.Concat(ids.Select(id => id == 100 ? "\n<x>\n" : tokenizer.TokenText(id))).Split('\n', StringSplitOptions.RemoveEmptyEntries));
}
