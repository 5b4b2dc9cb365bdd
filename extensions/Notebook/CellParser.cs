using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Toolkit.Notebook;

/// <summary>One part of a cell: a piece of code in one language, or a command in a line of its own.</summary>
/// <param name="Name"><c>csharp</c>, another language, or the command's name.</param>
/// <param name="Text">The code, preceded by as many line ends as lines stand before it; or what follows the command's name.</param>
/// <param name="Line">The line of the cell where it stands, from 1.</param>
internal sealed record CellPart(string Name, string Text, int Line)
{
    /// <summary>Whether this is C#.</summary>
    public bool IsCSharp => Name == CellParser.CSharp;
}

/// <summary>Splits a cell at its lines <c>#!name</c>: a language holds until the next one, any other name is a command.</summary>
internal static class CellParser
{
    public const string CSharp = "csharp";

    private static readonly CSharpParseOptions _options = new(LanguageVersion.Latest, kind: SourceCodeKind.Script);

    /// <summary>The parts in order; parts without a word of code are left out.</summary>
    public static IReadOnlyList<CellPart> Parse(string code)
    {
        var parts = new List<CellPart>();
        var lines = code.ReplaceLineEndings("\n").Split('\n');
        var inText = code.Contains("#!", StringComparison.Ordinal) ? LinesInsideText(code) : [];
        var (language, begin) = (CSharp, 0);
        for (var i = 0; i < lines.Length; i++)
        {
            if (!lines[i].StartsWith("#!", StringComparison.Ordinal) || lines[i].StartsWith("#!/", StringComparison.Ordinal) || (language == CSharp && inText.Contains(i)))
            {
                continue;
            }

            Close(i);
            var words = lines[i][2..].Split((char[])[' ', '\t'], 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            var name = words.Length == 0 ? "" : words[0].ToLowerInvariant();
            if (LanguageOf(name) is { } next)
            {
                language = next;
            }
            else
            {
                parts.Add(new CellPart(name, words.Length > 1 ? words[1] : "", i + 1));
            }

            begin = i + 1;
        }

        Close(lines.Length);
        return parts;

        void Close(int end)
        {
            var text = string.Join('\n', lines[begin..end]);
            if (text.Trim().Length > 0)
            {
                // Markup is what the user wrote; code keeps its line numbers.
                parts.Add(new CellPart(language, language == CSharp ? new string('\n', begin) + text : text, begin + 1));
            }
        }
    }

    /// <summary>The code with everything that is not C# made blank, at the same positions: what the compiler is asked about.</summary>
    public static string CSharpOnly(string code)
    {
        if (!code.Contains("#!", StringComparison.Ordinal))
        {
            return code;
        }

        var lines = code.Split('\n');
        var keep = new bool[lines.Length];
        foreach (var part in Parse(code).Where(part => part.IsCSharp))
        {
            var first = part.Line - 1;
            Array.Fill(keep, true, first, part.Text.Split('\n').Length - first);
        }

        return string.Join('\n', lines.Select((line, index) => keep[index] ? line : new string(' ', line.Length)));
    }

    /// <summary>The language of that name, or null.</summary>
    public static string? LanguageOf(string name) => name switch
    {
        "csharp" or "c#" or "cs" => CSharp,
        "html" => "html",
        "markdown" or "md" => "markdown",
        "svg" => "svg",
        "javascript" or "js" => "javascript",
        _ => null,
    };

    /// <summary>Lines that begin inside a string or a comment: what looks like a command there is text.</summary>
    private static HashSet<int> LinesInsideText(string code)
    {
        var lines = new HashSet<int>();
        var tree = CSharpSyntaxTree.ParseText(code, _options);
        var spans = tree.GetRoot().DescendantTokens().Where(token => token.IsKind(SyntaxKind.StringLiteralToken)
                || token.IsKind(SyntaxKind.MultiLineRawStringLiteralToken) || token.IsKind(SyntaxKind.InterpolatedStringTextToken)).Select(token => token.Span)
            .Concat(tree.GetRoot().DescendantTrivia().Where(trivia => trivia.IsKind(SyntaxKind.MultiLineCommentTrivia)).Select(trivia => trivia.Span));
        foreach (var span in spans)
        {
            var place = tree.GetLineSpan(span);
            for (var line = place.StartLinePosition.Line + 1; line <= place.EndLinePosition.Line; line++)
            {
                lines.Add(line);
            }
        }

        return lines;
    }
}
