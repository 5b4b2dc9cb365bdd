using CsCheck;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

public sealed class IncrementalDecoderTests
{
    [Fact]
    public void NeverShowsHalfACharacter() => Texts.Any.Where(text => !HasLoneSurrogate(text)).Sample(text =>
    {
        var decoder = new IncrementalDecoder(Texts.Tokenizer);
        var shown = "";
        foreach (var id in Texts.Tokenizer.Encode(text))
        {
            var part = decoder.Append(id);
            Assert.False(HasLoneSurrogate(part), "half a surrogate pair");
            shown += part;
            Assert.StartsWith(shown, text, StringComparison.Ordinal);
        }

        Assert.Equal(text, shown + decoder.Flush());
    }, iter: 20_000);

    [Fact]
    public void TogetherItIsWhatDecodeGives() => Gen.Int[0, 399].Array[0, 40].Sample(ids =>
    {
        var decoder = new IncrementalDecoder(Texts.Tokenizer);
        var shown = string.Concat(ids.Select(decoder.Append)) + decoder.Flush();
        Assert.Equal(Texts.Tokenizer.Decode(ids), shown);
    }, iter: 50_000);

    [Fact]
    public void TogetherItIsWhatDecodeGivesForBytesOfEveryKind() =>
        Texts.From(0x41, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xED, 0xA0, 0xBF, 0x80, 0xB0, 0xF0, 0x9F, 0xA6, 0x99, 0xFF, 399).Array[0, 12].Sample(ids =>
        {
            var decoder = new IncrementalDecoder(Texts.Tokenizer);
            var shown = string.Concat(ids.Select(decoder.Append)) + decoder.Flush();
            Assert.Equal(Texts.Tokenizer.Decode(ids), shown);
        }, iter: 100_000);

    [Fact]
    public void AnEmojiAppearsWithItsLastByte()
    {
        var decoder = new IncrementalDecoder(Texts.Tokenizer);
        Assert.Equal(["", "", "", "🦙"], new[] { 0xF0, 0x9F, 0xA6, 0x99 }.Select(decoder.Append));
        Assert.Equal("", decoder.Append(0xF0));
        Assert.Equal("\uFFFD", decoder.Flush());
    }

    [Fact]
    public void SurrogatesThatComeOneByOneAppearTogether()
    {
        var decoder = new IncrementalDecoder(Texts.Tokenizer);
        Assert.Equal(["", "", "", "", "", "🦙"], new[] { 0xED, 0xA0, 0xBE, 0xED, 0xB6, 0x99 }.Select(decoder.Append));
        Assert.Equal("", decoder.Flush());
    }

    private static bool HasLoneSurrogate(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]) && !(char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[++i])))
            {
                return true;
            }
        }

        return false;
    }
}
