using System.Text.RegularExpressions;
using CsCheck;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

public sealed partial class WordSplitterTests
{
    [Theory]
    [InlineData("Hello world", "Hello| world")]
    [InlineData("they've don't I'll 'tis", "they|'ve| don|'t| I|'ll| '|tis")]
    [InlineData("a  b", "a| | b")]
    [InlineData("a \n b", "a| \n| b")]
    [InlineData("x\n\ny", "x|\n|\n|y")]
    [InlineData("end   ", "end|   ")]
    [InlineData("in 1790, $5!", "in| 1790|,| $|5|!")]
    [InlineData("🦙🦙 𝔸𝔹", "🦙🦙| 𝔸𝔹")]
    public void SplitsAsGpt2Does(string text, string expected) => Assert.Equal(expected, string.Join('|', Split(text)));

    [Fact]
    public void AgreesWithTheExpressionInTheFirstPlane() => Texts.Any.Where(text => !text.Any(char.IsSurrogate)).Sample(text =>
        Assert.Equal(Expression().Matches(text).Select(match => match.Value), Split(text)), iter: 20_000);

    [Fact]
    public void PiecesAreTheWholeText() => Texts.Any.Sample(text => Assert.Equal(text, string.Concat(Split(text))), iter: 20_000);

    internal static List<string> Split(string text)
    {
        var pieces = new List<string>();
        for (var at = 0; at < text.Length; at += pieces[^1].Length)
        {
            pieces.Add(text.Substring(at, WordSplitter.Next(text.AsSpan(at))));
        }

        return pieces;
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    private static partial Regex Expression();
}
