using System.Text.Json.Nodes;

namespace Toolkit.Notebook;

/// <summary>One cell of a <see cref="NotebookDocument"/>: a typed view on its JSON, which keeps everything that it does not know.</summary>
public sealed class NotebookCell
{
    internal NotebookCell(JsonObject json, string type, string source)
    {
        Json = json;
        Type = type;
        Source = source;
    }

    /// <summary>The cell as it is in the file.</summary>
    public JsonObject Json { get; }

    /// <summary><c>code</c>, <c>markdown</c> or <c>raw</c>.</summary>
    public string Type { get; }

    /// <summary>The source as one string, whatever way the file holds it.</summary>
    public string Source { get; }

    /// <summary>Whether this is a code cell.</summary>
    public bool IsCode => Type == "code";

    /// <summary>The cell's metadata.</summary>
    public JsonObject Metadata => (JsonObject)Json["metadata"]!;

    /// <summary>The tags of the cell, for example papermill's <c>parameters</c>.</summary>
    public IEnumerable<string> Tags => Metadata["tags"] is JsonArray tags ? tags.Select(Text).OfType<string>() : [];

    /// <summary>The language that the cell's metadata or its first line (<c>#!name</c>) asks for, or null where nothing is said.</summary>
    public string? Language
    {
        get
        {
            var first = Source.AsSpan().TrimStart();
            if (first.StartsWith("#!") && !first.StartsWith("#!/"))
            {
                var line = first[2..];
                var end = line.IndexOfAny(" \r\n\t");
                var name = (end < 0 ? line : line[..end]).ToString();
                // A command such as #!time stands in a C# cell.
                if (!Magics.SessionCommands.Names.Contains(name.ToLowerInvariant()) || CellParser.LanguageOf(name.ToLowerInvariant()) is not null)
                {
                    return name;
                }
            }

            return Text(Inside("vscode", "languageId")) ?? Text(Inside("polyglot_notebook", "kernelName")) ?? Text(Inside("dotnet_interactive", "language"));
        }
    }

    /// <summary>Whether this cell holds C#, as far as its own metadata says.</summary>
    public bool IsCSharp => Language is null || IsCSharpName(Language);

    /// <summary>Whether this cell holds something that is shown as it is: HTML, Markdown, a drawing, a script for the browser.</summary>
    internal bool IsMarkup => Language is { } language && CellParser.LanguageOf(language.ToLowerInvariant()) is { } known && known != CellParser.CSharp;

    /// <summary>The source as a session takes it: a cell whose metadata name its language says so in its first line.</summary>
    internal string Runnable => IsMarkup && !Source.AsSpan().TrimStart().StartsWith("#!") ? $"#!{Language}\n{Source}" : Source;

    internal static bool IsCSharpName(string name) => name.ToLowerInvariant() is "csharp" or "c#" or "cs" or ".net-csharp" or "polyglot-notebook";

    internal static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private JsonNode? Inside(string section, string name) => Metadata[section] is JsonObject part ? part[name] : null;
}
