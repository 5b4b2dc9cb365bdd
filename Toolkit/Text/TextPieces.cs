using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Toolkit.Text;

/// <summary>Splits a text into the pieces that are encoded one by one.</summary>
internal static class TextPieces
{
    /// <summary>Appends offset and length of every piece; together they are the whole text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="expression">What a piece is; null: as GPT-2 has it. What it does not match is a piece of its own.</param>
    /// <param name="pieces">Receives the pieces.</param>
    public static void Split(ReadOnlySpan<char> text, Regex? expression, List<(int Offset, int Length)> pieces)
    {
        if (expression is not null)
        {
            SplitBy(expression, text, pieces);
            return;
        }

        for (var at = 0; at < text.Length;)
        {
            var length = WordSplitter.Next(text[at..]);
            pieces.Add((at, length));
            at += length;
        }
    }

    private static void SplitBy(Regex expression, ReadOnlySpan<char> text, List<(int Offset, int Length)> pieces)
    {
        var (characters, offsets) = CodePoints(text);
        var at = 0;
        foreach (var match in expression.EnumerateMatches(characters))
        {
            var (begin, end) = offsets is null ? (match.Index, match.Index + match.Length) : (offsets[match.Index], offsets[match.Index + match.Length]);
            Add(at, begin);
            Add(begin, end);
            at = end;
        }

        Add(at, text.Length);

        void Add(int begin, int end)
        {
            if (end > begin)
            {
                pieces.Add((begin, end - begin));
            }
        }
    }

    /// <summary>
    /// One character a code point, as Hugging Face's expressions see a text: .NET's would see two halves outside of the first plane, neither of
    /// them a letter. Another character of the same category stands in for such a one; the offsets lead back to the text.
    /// </summary>
    private static (char[] Characters, int[]? Offsets) CodePoints(ReadOnlySpan<char> text)
    {
        if (text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            return (text.ToArray(), null);
        }

        var characters = new char[text.Length];
        var offsets = new int[text.Length + 1];
        var count = 0;
        for (var i = 0; i < text.Length; i++)
        {
            offsets[count] = i;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
            {
                characters[count++] = StandIn(Rune.GetUnicodeCategory(new Rune(text[i], text[++i])));
            }
            else
            {
                characters[count++] = text[i];
            }
        }

        offsets[count] = text.Length;
        return (characters[..count], offsets);
    }

    private static char StandIn(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => '\u00DE',
        UnicodeCategory.LowercaseLetter => '\u00FE',
        UnicodeCategory.TitlecaseLetter => '\u01C5',
        UnicodeCategory.ModifierLetter => '\u02B0',
        UnicodeCategory.OtherLetter => '\u05D0',
        UnicodeCategory.NonSpacingMark => '\u0300',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.EnclosingMark => '\u0488',
        UnicodeCategory.DecimalDigitNumber => '\u0660',
        UnicodeCategory.LetterNumber => '\u2160',
        UnicodeCategory.OtherNumber => '\u00B2',
        UnicodeCategory.Format => '\u200B',
        >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation => '\u203D',
        _ => '\u2603',
    };
}
