using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Notebook.Documents;

/// <summary>
/// The <c>.dib</c> files of .NET Interactive: cells one below the other, each led by a line <c>#!language</c>; an optional <c>#!meta</c> cell of
/// JSON comes first. Read into, and written from, a <see cref="NotebookDocument"/>.
/// </summary>
public static class DibFormat
{
    private const string Meta = "meta";
    private const string Section = "polyglot_notebook";
    private static readonly string[] _languages =
        ["csharp", "c#", "cs", "fsharp", "f#", "fs", "pwsh", "powershell", "javascript", "js", "html", "markdown", "md", "mermaid", "sql", "kql", "value", "http", "python", "r", "raw"];

    private static readonly JsonSerializerOptions _compact = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads the text of a file; <paramref name="name"/> is what messages call it.</summary>
    /// <exception cref="NotebookFormatException">The <c>#!meta</c> cell is not a JSON object.</exception>
    public static NotebookDocument Read(string text, string name)
    {
        var cells = new JsonArray();
        var metadata = new JsonObject();
        var languages = new HashSet<string>(_languages, StringComparer.OrdinalIgnoreCase);
        var (language, lines, line, begin) = ("csharp", new List<string>(), 0, 0);
        foreach (var read in text.TrimStart('\uFEFF').ReplaceLineEndings("\n").Split('\n'))
        {
            line++;
            var word = read.StartsWith("#!", StringComparison.Ordinal) ? read[2..].Trim() : "";
            if (word == Meta || languages.Contains(word))
            {
                Close();
                (language, begin) = (word, line);
                lines.Clear();
            }
            else
            {
                lines.Add(read);
            }
        }

        Close();
        metadata["kernelspec"] ??= new JsonObject { ["display_name"] = ".NET (C#)", ["language"] = "C#", ["name"] = ".net-csharp" };
        metadata["language_info"] ??= new JsonObject { ["name"] = "C#" };
        var document = NotebookDocument.Parse(new JsonObject { ["nbformat"] = 4, ["nbformat_minor"] = 5, ["metadata"] = metadata, ["cells"] = cells }.ToJsonString(), name);
        document.AssignIds();
        return document;

        void Close()
        {
            var source = string.Join('\n', Trimmed(lines));
            if (language == Meta)
            {
                metadata[Section] = MetaOf(source, name, begin);
                languages.UnionWith(KernelNames(metadata[Section]!));
            }
            else if (source.Length > 0 || begin > 0)
            {
                cells.Add((JsonNode)Cell(language, source));
            }
        }
    }

    /// <summary>The document as the text of a <c>.dib</c> file. Outputs have no place in it.</summary>
    public static string Write(NotebookDocument document)
    {
        var text = new StringBuilder();
        if (document.Json["metadata"]?[Section] is JsonObject meta)
        {
            text.Append("#!meta\n\n").Append(meta.ToJsonString(_compact)).Append("\n\n");
        }

        foreach (var cell in document.Cells)
        {
            var language = cell.Type == "code" ? CodeLanguage(cell) : cell.Type;
            text.Append("#!").Append(language).Append("\n\n").Append(cell.Source.TrimEnd('\n')).Append("\n\n");
        }

        return text.Length == 0 ? "" : text.ToString()[..^1];
    }

    private static string CodeLanguage(NotebookCell cell)
    {
        var named = NotebookCell.Text((cell.Metadata[Section] as JsonObject)?["kernelName"]) ?? NotebookCell.Text((cell.Metadata["dotnet_interactive"] as JsonObject)?["language"])
            ?? NotebookCell.Text((cell.Metadata["vscode"] as JsonObject)?["languageId"]);
        return named is null || NotebookCell.IsCSharpName(named) ? "csharp" : named;
    }

    private static JsonObject Cell(string language, string source)
    {
        var lower = language.ToLowerInvariant();
        if (lower is "markdown" or "md" or "raw")
        {
            return new JsonObject { ["cell_type"] = lower == "raw" ? "raw" : "markdown", ["metadata"] = new JsonObject(), ["source"] = NotebookDocument.Lines(source) };
        }

        var kernel = lower is "c#" or "cs" ? "csharp" : lower is "f#" or "fs" ? "fsharp" : lower is "js" ? "javascript" : language;
        return new JsonObject
        {
            ["cell_type"] = "code",
            ["execution_count"] = null,
            ["metadata"] = new JsonObject { ["dotnet_interactive"] = new JsonObject { ["language"] = kernel }, [Section] = new JsonObject { ["kernelName"] = kernel } },
            ["outputs"] = new JsonArray(),
            ["source"] = NotebookDocument.Lines(source),
        };
    }

    private static JsonObject MetaOf(string source, string name, int line)
    {
        try
        {
            return JsonNode.Parse(source.Length == 0 ? "{}" : source) as JsonObject ?? throw new JsonException("not an object");
        }
        catch (JsonException problem)
        {
            throw new NotebookFormatException($"{name}: line {line}: #!meta: not valid JSON: {problem.Message.Split(" Path:")[0].Split(" LineNumber:")[0]}", problem);
        }
    }

    private static IEnumerable<string> KernelNames(JsonNode meta) =>
        (meta["kernelInfo"] as JsonObject)?["items"] is JsonArray items
            ? items.OfType<JsonObject>().SelectMany(item => (item["aliases"] as JsonArray ?? []).Append(item["name"])).Select(NotebookCell.Text).OfType<string>()
            : [];

    private static IEnumerable<string> Trimmed(IReadOnlyList<string> lines)
    {
        var first = 0;
        var end = lines.Count;
        while (first < end && string.IsNullOrWhiteSpace(lines[first]))
        {
            first++;
        }

        while (end > first && string.IsNullOrWhiteSpace(lines[end - 1]))
        {
            end--;
        }

        return lines.Skip(first).Take(end - first);
    }
}
