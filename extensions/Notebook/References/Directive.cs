using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Toolkit.Notebook.References;

/// <summary>What a line <c>#r</c>, <c>#i</c> or <c>#load</c> asks for.</summary>
/// <param name="Kind"><c>r</c>, <c>i</c> or <c>load</c>.</param>
/// <param name="Value">The text between the quotes.</param>
/// <param name="Line">Its line, from 1.</param>
internal sealed partial record Directive(string Kind, string Value, int Line)
{
    private static readonly CSharpParseOptions _options = new(LanguageVersion.Latest, kind: SourceCodeKind.Script);

    /// <summary>Finds the directives of C# code and makes comments of <c>#r</c> and <c>#i</c>, so that positions stay what they are.</summary>
    public static (string Code, IReadOnlyList<Directive> Found) Extract(string code)
    {
        if (!code.Contains('#', StringComparison.Ordinal))
        {
            return (code, []);
        }

        var tree = CSharpSyntaxTree.ParseText(code, _options);
        var found = new List<Directive>();
        var text = new StringBuilder(code);
        foreach (var trivia in tree.GetRoot().DescendantTrivia().Where(trivia => trivia.IsDirective))
        {
            var match = Pattern().Match(trivia.ToString());
            if (!match.Success)
            {
                continue;
            }

            found.Add(new Directive(match.Groups[1].Value, match.Groups[2].Value.Trim(), tree.GetLineSpan(trivia.Span).StartLinePosition.Line + 1));
            if (match.Groups[1].Value != "load")
            {
                var at = trivia.SpanStart;
                (text[at], text[at + 1]) = ('/', '/');
            }
        }

        return (text.ToString(), found);
    }

    [GeneratedRegex("^#(r|i|load)\\s+\"([^\"\\n]*)\"")]
    private static partial Regex Pattern();
}

/// <summary>A directive that cannot be followed.</summary>
/// <param name="name">A short name of the problem, such as NuGet's code.</param>
/// <param name="message">What is wrong and what to do.</param>
/// <param name="line">The directive's line, from 1.</param>
internal sealed class DirectiveException(string name, string message, int line = 0) : Exception(message)
{
    public string Name => name;

    public int Line => line;
}
