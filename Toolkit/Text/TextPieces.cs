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
        var at = 0;
        if (expression is null)
        {
            while (at < text.Length)
            {
                var length = WordSplitter.Next(text[at..]);
                pieces.Add((at, length));
                at += length;
            }

            return;
        }

        foreach (var match in expression.EnumerateMatches(text))
        {
            Add(at, match.Index - at);
            Add(match.Index, match.Length);
            at = match.Index + match.Length;
        }

        Add(at, text.Length - at);

        void Add(int offset, int length)
        {
            if (length > 0)
            {
                pieces.Add((offset, length));
            }
        }
    }
}
