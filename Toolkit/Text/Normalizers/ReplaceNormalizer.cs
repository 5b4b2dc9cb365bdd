using System.Text;

namespace Toolkit.Text;

/// <summary>Writes something else for every match.</summary>
internal sealed class ReplaceNormalizer(UnicodePattern pattern, string content) : Normalizer
{
    public override string Normalize(string text)
    {
        if (pattern.Literal is { } literal)
        {
            return literal.Length == 0 ? text : text.Replace(literal, content, StringComparison.Ordinal);
        }

        StringBuilder? made = null;
        var at = 0;
        foreach (var (begin, end) in pattern.Matches(text))
        {
            (made ??= new StringBuilder(text.Length)).Append(text, at, begin - at).Append(content);
            at = end;
        }

        return made is null ? text : made.Append(text, at, text.Length - at).ToString();
    }
}
