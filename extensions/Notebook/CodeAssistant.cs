using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Toolkit.Notebook;

/// <summary>Something that could stand at the cursor.</summary>
/// <param name="Text">The name.</param>
/// <param name="Kind">What it is: method, property, class, keyword...</param>
/// <param name="Signature">Its declaration; empty for a keyword.</param>
/// <param name="Documentation">The summary of its documentation; empty where there is none, or where the proposals are too many to look.</param>
public sealed record Completion(string Text, string Kind, string Signature, string Documentation = "");

/// <summary>What could stand at the cursor, and which part of the code it would replace.</summary>
/// <param name="Start">Begin of that part.</param>
/// <param name="End">End of that part.</param>
/// <param name="Items">The proposals, sorted by name.</param>
public sealed record CompletionList(int Start, int End, IReadOnlyList<Completion> Items);

/// <summary>Answers about code that was not run yet, by the compiler's own knowledge of everything before it.</summary>
internal static class CodeAssistant
{
    /// <summary>More proposals than these are read over, not read.</summary>
    private const int MostDocumented = 100;

    private static readonly SymbolDisplayFormat _signature = SymbolDisplayFormat.MinimallyQualifiedFormat
        .WithMemberOptions(SymbolDisplayMemberOptions.IncludeParameters | SymbolDisplayMemberOptions.IncludeType | SymbolDisplayMemberOptions.IncludeContainingType)
        .WithParameterOptions(SymbolDisplayParameterOptions.IncludeType | SymbolDisplayParameterOptions.IncludeName | SymbolDisplayParameterOptions.IncludeDefaultValue)
        .WithKindOptions(SymbolDisplayKindOptions.None);

    /// <summary>Whether the code is a whole submission, so that Enter may run it.</summary>
    public static bool IsComplete(string code)
    {
        var tree = CSharpSyntaxTree.ParseText(References.Directive.Extract(CellParser.CSharpOnly(code)).Code, new CSharpParseOptions(LanguageVersion.Latest, kind: SourceCodeKind.Script));
        return SyntaxFactory.IsCompleteSubmission(tree);
    }

    /// <summary>The proposals at a position.</summary>
    public static CompletionList Complete(Compilation compilation, int position)
    {
        var tree = compilation.SyntaxTrees.Last();
        var model = compilation.GetSemanticModel(tree);
        var text = tree.ToString();
        position = Math.Clamp(position, 0, text.Length);
        var start = position;
        while (start > 0 && SyntaxFacts.IsIdentifierPartCharacter(text[start - 1]))
        {
            start--;
        }

        var prefix = text[start..position];
        var receiver = Receiver(tree, start);
        var symbols = receiver is null ? model.LookupSymbols(start) : Members(model, receiver, start);
        var groups = symbols
            .Where(symbol => symbol.CanBeReferencedByName && symbol.Name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) && symbol.Name[0] != '<')
            .GroupBy(symbol => symbol.Name, StringComparer.Ordinal)
            .ToArray();
        var items = groups
            .Select(group => new Completion(
                group.Key, Kind(group.First()), group.First().ToDisplayString(_signature) + (group.Count() > 1 ? $" (+{group.Count() - 1} more)" : ""),
                groups.Length <= MostDocumented ? DocumentationFiles.Summary(group.First(), compilation) : ""))
            .Concat(receiver is null ? Keywords(prefix) : [])
            .OrderBy(item => item.Text, StringComparer.OrdinalIgnoreCase);
        return new(start, position, [.. items]);
    }

    /// <summary>The declaration and documentation of what stands at a position, or null.</summary>
    /// <param name="compilation">The code.</param>
    /// <param name="position">A position in it.</param>
    /// <param name="everything">Whether parameters, results, exceptions and remarks are wanted beside the summary.</param>
    /// <param name="variable">The name, where a variable stands there.</param>
    public static string? Inspect(Compilation compilation, int position, bool everything, out string? variable)
    {
        variable = null;
        var tree = compilation.SyntaxTrees.Last();
        var token = tree.GetRoot().FindToken(Math.Max(0, Math.Min(position, tree.Length) - 1));
        if (!token.IsKind(SyntaxKind.IdentifierToken))
        {
            token = tree.GetRoot().FindToken(Math.Min(position, Math.Max(0, tree.Length - 1)));
        }

        if (token.Parent is not { } node)
        {
            return null;
        }

        var model = compilation.GetSemanticModel(tree);
        var info = model.GetSymbolInfo(node);
        var symbol = info.Symbol ?? info.CandidateSymbols.FirstOrDefault() ?? model.GetDeclaredSymbol(node);
        if (symbol is null)
        {
            return null;
        }

        variable = symbol is IFieldSymbol { ContainingType.IsScriptClass: true } ? symbol.Name : null;
        var documentation = everything ? DocumentationFiles.Everything(symbol, compilation) : DocumentationFiles.Summary(symbol, compilation);
        return documentation.Length == 0 ? symbol.ToDisplayString(_signature) : $"{symbol.ToDisplayString(_signature)}\n\n{documentation}";
    }

    private static ExpressionSyntax? Receiver(SyntaxTree tree, int start)
    {
        var token = start > 0 ? tree.GetRoot().FindToken(start - 1) : default;
        return token.IsKind(SyntaxKind.DotToken) ? token.Parent switch
        {
            MemberAccessExpressionSyntax access => access.Expression,
            QualifiedNameSyntax name => name.Left,
            MemberBindingExpressionSyntax binding => binding.FirstAncestorOrSelf<ConditionalAccessExpressionSyntax>()?.Expression,
            _ => null,
        } : null;
    }

    private static IEnumerable<ISymbol> Members(SemanticModel model, ExpressionSyntax receiver, int position)
    {
        var named = model.GetSymbolInfo(receiver).Symbol;
        if (named is INamespaceOrTypeSymbol container)
        {
            return model.LookupSymbols(position, container).Where(symbol => container is INamespaceSymbol || symbol.IsStatic || symbol is ITypeSymbol);
        }

        return model.GetTypeInfo(receiver).Type is { } type
            ? model.LookupSymbols(position, type, includeReducedExtensionMethods: true).Where(symbol => !symbol.IsStatic || symbol is IMethodSymbol { ReducedFrom: not null })
            : [];
    }

    private static IEnumerable<Completion> Keywords(string prefix) =>
        SyntaxFacts.GetKeywordKinds().Select(SyntaxFacts.GetText)
            .Where(word => prefix.Length > 0 && word.StartsWith(prefix, StringComparison.Ordinal) && char.IsAsciiLetterLower(word[0]))
            .Select(word => new Completion(word, "keyword", ""));

    private static string Kind(ISymbol symbol) => symbol switch
    {
        IMethodSymbol => "method",
        IPropertySymbol => "property",
        IFieldSymbol { ContainingType.IsScriptClass: true } or ILocalSymbol or IParameterSymbol => "variable",
        IFieldSymbol => "field",
        IEventSymbol => "event",
        INamespaceSymbol => "namespace",
        INamedTypeSymbol { TypeKind: TypeKind.Interface } => "interface",
        INamedTypeSymbol { TypeKind: TypeKind.Struct } => "struct",
        INamedTypeSymbol { TypeKind: TypeKind.Enum } => "enum",
        _ => "class",
    };
}
