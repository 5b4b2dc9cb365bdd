using System.Globalization;
using System.Text;

namespace Toolkit.Text;

/// <summary>The clean-up of BERT (Devlin et al., 2018): control characters, ideographs set apart, accents, case.</summary>
internal sealed class BertNormalizer(bool clean, bool chinese, bool accents, bool lower) : Normalizer
{
    public override string Normalize(string text)
    {
        text = clean || chinese ? Separate(text) : text;
        text = accents
            ? Characters.Where(UnicodeNormalization.Normalize(text, compose: false, compatibility: false), point => Characters.Category(point) != UnicodeCategory.NonSpacingMark)
            : text;
        return lower ? Characters.Lower(text) : text;
    }

    private string Separate(string text)
    {
        var made = new StringBuilder(text.Length + 8);
        for (var i = 0; i < text.Length;)
        {
            var point = Characters.At(text, i, out var length);
            if (clean && IsDropped(point))
            {
                i += length;
                continue;
            }

            if (chinese && Characters.IsChinese(point))
            {
                made.Append(' ').Append(text, i, length).Append(' ');
            }
            else
            {
                _ = clean && Characters.IsWhiteSpace(point) ? made.Append(' ') : made.Append(text, i, length);
            }

            i += length;
        }

        return made.ToString();
    }

    private static bool IsDropped(int point) => point is 0 or 0xFFFD
        || (point is not ('\t' or '\n' or '\r') && Characters.Category(point) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse);
}
