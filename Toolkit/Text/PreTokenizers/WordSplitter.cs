using System.Globalization;
using System.Text;

namespace Toolkit.Text;

/// <summary>
/// Splits a text into the pieces that byte-pair encoding never joins, as GPT-2's expression
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c> does, over whole code points: a regular expression of .NET
/// would take the halves of a letter outside the first plane for punctuation.
/// </summary>
internal static class WordSplitter
{
    private enum Kind
    {
        Space,
        Letter,
        Number,
        Other,
    }

    /// <summary>Tells each piece of a text, from left to right.</summary>
    public static void Split(string text, PieceAction each)
    {
        for (var rest = text.AsSpan(); rest.Length > 0;)
        {
            var length = Next(rest);
            each(rest[..length]);
            rest = rest[length..];
        }
    }

    /// <summary>Length of the first piece of a text that is not empty.</summary>
    public static int Next(ReadOnlySpan<char> text)
    {
        if (text[0] == '\'' && Contraction(text) is > 0 and var contraction)
        {
            return contraction;
        }

        var start = text[0] == ' ' && text.Length > 1 && KindAt(text[1..], out _) != Kind.Space ? 1 : 0;
        var kind = KindAt(text[start..], out var used);
        var end = start + used;
        while (end < text.Length && KindAt(text[end..], out used) == kind)
        {
            end += used;
        }

        // The last space before a word belongs to that word.
        return kind == Kind.Space && end < text.Length && end > 1 ? end - 1 : end;
    }

    private static int Contraction(ReadOnlySpan<char> text) => text.Length < 2 ? 0 : text[1] switch
    {
        's' or 't' or 'm' or 'd' => 2,
        'r' or 'v' when text.Length > 2 && text[2] == 'e' => 3,
        'l' when text.Length > 2 && text[2] == 'l' => 3,
        _ => 0,
    };

    private static Kind KindAt(ReadOnlySpan<char> text, out int length)
    {
        var first = text[0];
        length = 1;
        if (char.IsAscii(first))
        {
            return char.IsAsciiLetter(first) ? Kind.Letter : char.IsAsciiDigit(first) ? Kind.Number : char.IsWhiteSpace(first) ? Kind.Space : Kind.Other;
        }

        if (char.IsHighSurrogate(first) && text.Length > 1 && char.IsLowSurrogate(text[1]))
        {
            length = 2;
            return KindOf(Rune.GetUnicodeCategory(new Rune(first, text[1])));
        }

        return char.IsWhiteSpace(first) ? Kind.Space : KindOf(char.GetUnicodeCategory(first));
    }

    private static Kind KindOf(UnicodeCategory category) => category switch
    {
        <= UnicodeCategory.OtherLetter => Kind.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
        _ => Kind.Other,
    };
}

/// <summary>Takes a piece of a text.</summary>
internal delegate void PieceAction(ReadOnlySpan<char> piece);
