using CsCheck;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

/// <summary>The laws of the normalization forms (Unicode Standard Annex 15); equality with another implementation is tested by HuggingFaceComponentTests.</summary>
public sealed class UnicodeNormalizationTests
{
    private static readonly Gen<string> _texts = Gen.OneOf(
        Texts.Any,
        Texts.From("e", "\u0301", "\u0327", "\u0323", "\u0308", "가", "ᄀ", "ᅡ", "ᆨ", "각", "ﬁ", "Å", "\u212B", "ṩ", "ǖ", "\u0344", "\u0958", "𝅗𝅥", "が", "①", "ｱ", "ﾞ", "\u0F71\u0F72").Array[0, 12].Select(string.Concat));

    [Theory]
    [InlineData("é", "e\u0301", "é")]
    [InlineData("각", "\u1100\u1161\u11A8", "각")]
    [InlineData("ṩ", "s\u0323\u0307", "ṩ")]
    [InlineData("\u212B", "A\u030A", "Å")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C")]
    [InlineData("a\u0301\u0323", "a\u0323\u0301", "ạ\u0301")]
    public void DecomposesAndComposes(string text, string decomposed, string composed)
    {
        Assert.Equal(decomposed, UnicodeNormalization.Normalize(text, compose: false, compatibility: false));
        Assert.Equal(composed, UnicodeNormalization.Normalize(text, compose: true, compatibility: false));
    }

    [Fact]
    public void FormsAreStableAndAgree() => _texts.Sample(text =>
    {
        string Form(string value, bool compose, bool compatibility) => UnicodeNormalization.Normalize(value, compose, compatibility);
        foreach (var compatibility in new[] { false, true })
        {
            var (c, d) = (Form(text, true, compatibility), Form(text, false, compatibility));
            Assert.Equal(c, Form(c, true, compatibility));
            Assert.Equal(d, Form(d, false, compatibility));
            Assert.Equal(c, Form(d, true, compatibility));
            Assert.Equal(d, Form(c, false, compatibility));
        }
    }, iter: 5_000);
}
