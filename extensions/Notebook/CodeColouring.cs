using System.Net;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Toolkit.Notebook;

/// <summary>C# to HTML with a class for each kind of token, from Roslyn's own syntax tree.</summary>
internal static class CodeColouring
{
    public static string ToHtml(string code)
    {
        var html = new StringBuilder();
        var root = CSharpSyntaxTree.ParseText(code, new CSharpParseOptions(kind: SourceCodeKind.Script)).GetRoot();
        foreach (var token in root.DescendantTokens())
        {
            Trivia(html, token.LeadingTrivia);
            Append(html, KindOf(token), token.Text);
            Trivia(html, token.TrailingTrivia);
        }

        return html.ToString();
    }

    private static void Trivia(StringBuilder html, SyntaxTriviaList list)
    {
        foreach (var trivia in list)
        {
            var kind = trivia.IsDirective ? "directive" : trivia.Kind().ToString().Contains("Comment", StringComparison.Ordinal) ? "comment" : null;
            Append(html, kind, trivia.ToFullString());
        }
    }

    private static string? KindOf(SyntaxToken token)
    {
        if (token.IsKeyword() || token.IsContextualKeyword() || (token.Parent is IdentifierNameSyntax { IsVar: true }))
        {
            return "keyword";
        }

        return token.Kind() switch
        {
            SyntaxKind.NumericLiteralToken => "number",
            SyntaxKind.CharacterLiteralToken => "string",
            SyntaxKind.IdentifierToken when IsType(token) => "type",
            SyntaxKind.IdentifierToken when token.Parent is SimpleNameSyntax name && IsCalled(name) => "call",
            var kind when kind.ToString() is var text && text.Contains("String", StringComparison.Ordinal) => "string",
            _ => null,
        };
    }

    private static bool IsCalled(SimpleNameSyntax name) =>
        name.Parent is InvocationExpressionSyntax || (name.Parent is MemberAccessExpressionSyntax access && access.Name == name && access.Parent is InvocationExpressionSyntax);

    private static bool IsType(SyntaxToken token) => token.Parent switch
    {
        BaseTypeDeclarationSyntax => true,
        SimpleNameSyntax { Parent: ObjectCreationExpressionSyntax or VariableDeclarationSyntax or ParameterSyntax or TypeArgumentListSyntax or BaseTypeSyntax or ArrayTypeSyntax or NullableTypeSyntax } => true,
        SimpleNameSyntax { Parent: MemberAccessExpressionSyntax access } name => access.Expression == name && char.IsUpper(token.Text[0]),
        _ => false,
    };

    private static void Append(StringBuilder html, string? kind, string text)
    {
        if (text.Length == 0)
        {
            return;
        }

        var encoded = WebUtility.HtmlEncode(text);
        html.Append(kind is null ? encoded : $"<span class=\"{kind}\">{encoded}</span>");
    }
}
