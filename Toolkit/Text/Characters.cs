using System.Globalization;
using System.Text;

namespace Toolkit.Text;

/// <summary>Classes of characters as Hugging Face's tokenizers has them, over whole code points.</summary>
internal static class Characters
{
    /// <summary>The code point at a place, and how many characters it takes; a lone surrogate is one of its own.</summary>
    public static int At(ReadOnlySpan<char> text, int index, out int length)
    {
        length = index + 1 < text.Length && char.IsSurrogatePair(text[index], text[index + 1]) ? 2 : 1;
        return length == 2 ? char.ConvertToUtf32(text[index], text[index + 1]) : text[index];
    }

    public static UnicodeCategory Category(int point) => CharUnicodeInfo.GetUnicodeCategory(point);

    public static bool IsWhiteSpace(int point) => point < 0x10000 && char.IsWhiteSpace((char)point);

    /// <summary>Letters, marks, digits, connectors and joiners: \w of Rust's expressions.</summary>
    public static bool IsWord(int point) => Category(point) switch
    {
        <= UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => true,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
        // Letters in circles and squares count as alphabetic.
        UnicodeCategory.OtherSymbol => point is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
        _ => point is 0x200C or 0x200D,
    };

    public static bool IsNumeric(int point) =>
        Category(point) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Punctuation as BERT has it: also the symbols of ASCII.</summary>
    public static bool IsPunctuation(int point) => point < 0x80
        ? point is (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~')
        : Category(point) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    public static bool IsMark(int point) => Category(point) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    /// <summary>A text without the code points that do not pass.</summary>
    public static string Where(string text, Func<int, bool> keep)
    {
        var kept = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length;)
        {
            if (keep(At(text, i, out var length)))
            {
                kept.Append(text, i, length);
            }

            i += length;
        }

        return kept.Length == text.Length ? text : kept.ToString();
    }

    /// <summary>Lower case by Unicode's own mapping, whatever the culture: only the Turkish capital I with a dot becomes two characters.</summary>
    public static string Lower(string text) => text.Contains('\u0130') ? text.Replace("\u0130", "i\u0307", StringComparison.Ordinal).ToLowerInvariant() : text.ToLowerInvariant();

    /// <summary>The ideographs of Chinese, as BERT counts them (without the syllables of Japanese and Korean).</summary>
    public static bool IsChinese(int point) => point
        is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
        or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}
