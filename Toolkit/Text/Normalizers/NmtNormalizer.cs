using System.Text;

namespace Toolkit.Text;

/// <summary>The clean-up of SentencePiece's <c>nmt</c> rules: control characters go, separators and zero-width characters become spaces.</summary>
internal static class NmtNormalizer
{
    public static string Normalize(string text)
    {
        var made = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            _ = character switch
            {
                (>= '\u0001' and <= '\u0008') or '\u000B' or (>= '\u000E' and <= '\u001F') or '\u007F' or '\u008F' or '\u009F' => made,
                '\t' or '\n' or '\f' or '\r' or '\u1680' or (>= '\u200B' and <= '\u200F') or '\u2028' or '\u2029' or '\u2581' or '\uFEFF' or '\uFFFD' => made.Append(' '),
                _ => made.Append(character),
            };
        }

        return made.ToString();
    }
}
