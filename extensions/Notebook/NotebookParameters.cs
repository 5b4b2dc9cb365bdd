using System.Globalization;
using Microsoft.CodeAnalysis.CSharp;

namespace Toolkit.Notebook;

/// <summary>Values given on the command line become a cell after the one tagged <c>parameters</c>, as papermill does it.</summary>
public static class NotebookParameters
{
    private const string Tag = "parameters";
    private const string InjectedTag = "injected-parameters";

    /// <summary>Injects the values. They are typed as they are written: whole number, number, true/false, else text.</summary>
    /// <param name="document">The notebook.</param>
    /// <param name="values">Each <c>name=value</c>.</param>
    /// <exception cref="ArgumentException">A value is not of that form, or the notebook has no cell tagged <c>parameters</c>.</exception>
    public static void Inject(NotebookDocument document, IReadOnlyCollection<string> values)
    {
        if (values.Count == 0)
        {
            return;
        }

        var at = document.Cells.Index().FirstOrDefault(cell => cell.Item.IsCode && cell.Item.Tags.Contains(Tag), (-1, null!)).Index;
        if (at < 0)
        {
            throw new ArgumentException($"The notebook has no code cell tagged '{Tag}', so there is nothing that -p could set.");
        }

        // Assignments, not declarations: the cell before declares the variables and functions that use them see the new values.
        document.Insert(at + 1, string.Join('\n', values.Select(value => Assignment(value, document.Cells[at].Source)).Prepend("// Parameters")), InjectedTag);
    }

    internal static string Literal(string value) => value switch
    {
        "true" or "false" => value,
        _ when int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) => number.ToString(CultureInfo.InvariantCulture),
        _ when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => number.ToString("R", CultureInfo.InvariantCulture) + "d",
        _ => SymbolDisplay.FormatLiteral(value, quote: true),
    };

    private static string Assignment(string value, string declared)
    {
        var split = value.IndexOf('=');
        var name = split < 0 ? "" : value[..split].Trim();
        if (!SyntaxFacts.IsValidIdentifier(name))
        {
            throw new ArgumentException($"'-p {value}': expected name=value with a C# name.");
        }

        var declares = CSharpSyntaxTree.ParseText(declared, new CSharpParseOptions(kind: Microsoft.CodeAnalysis.SourceCodeKind.Script)).GetRoot().DescendantNodes()
            .OfType<Microsoft.CodeAnalysis.CSharp.Syntax.VariableDeclaratorSyntax>().FirstOrDefault(variable => variable.Identifier.ValueText == name);
        var literal = Literal(value[(split + 1)..].Trim());
        if (declares is null)
        {
            return $"var {name} = {literal};";
        }

        var type = ((Microsoft.CodeAnalysis.CSharp.Syntax.VariableDeclarationSyntax)declares.Parent!).Type.ToString();
        return type is "float" ? $"{name} = (float){literal};" : $"{name} = {literal};";
    }
}
