using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Toolkit.Notebook;

/// <summary>A Jupyter notebook (nbformat 4). Read and written as a JSON tree, so that metadata nobody here knows survives.</summary>
public sealed partial class NotebookDocument
{
    private static readonly JsonSerializerOptions Writing = new() { WriteIndented = true, IndentSize = 1, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonDocumentOptions Reading = new() { AllowDuplicateProperties = false };
    private readonly List<NotebookCell> _cells = [];

    private NotebookDocument(JsonObject json) => Json = json;

    /// <summary>The whole document.</summary>
    public JsonObject Json { get; }

    /// <summary>The cells in order.</summary>
    public IReadOnlyList<NotebookCell> Cells => _cells;

    /// <summary>Reads a notebook file.</summary>
    /// <exception cref="NotebookFormatException">The file is missing or is not a notebook of nbformat 4.</exception>
    public static NotebookDocument Load(string path)
    {
        try
        {
            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new NotebookFormatException($"{path}: cannot be read: {error.Message}", error);
        }
    }

    /// <summary>Reads a notebook from text; <paramref name="name"/> is the file that messages speak of.</summary>
    /// <exception cref="NotebookFormatException">The text is not a notebook of nbformat 4.</exception>
    public static NotebookDocument Parse(string text, string name)
    {
        try
        {
            var root = JsonNode.Parse(text, documentOptions: Reading);
            var document = new NotebookDocument(Expect<JsonObject>(root, name, "the document", "an object"));
            document.Read(name);
            return document;
        }
        catch (JsonException error)
        {
            throw new NotebookFormatException($"{name}: line {error.LineNumber + 1}, position {error.BytePositionInLine + 1}: not valid JSON: {error.Message.Split(" Path:")[0].Split(" LineNumber:")[0]}", error);
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException or FormatException)
        {
            throw new NotebookFormatException($"{name}: holds a value that cannot be read: {error.Message}", error);
        }
    }

    /// <summary>An empty document with one code cell per source: for tests and for hosts without a file.</summary>
    public static NotebookDocument Of(params IEnumerable<string> sources)
    {
        var cells = sources.Select(source => (JsonNode)NewCode(source)).ToArray();
        return Parse(new JsonObject { ["nbformat"] = 4, ["nbformat_minor"] = 5, ["metadata"] = new JsonObject(), ["cells"] = new JsonArray(cells) }.ToJsonString(), "new notebook");
    }

    /// <summary>Puts a new code cell into the document.</summary>
    public NotebookCell Insert(int index, string source, params string[] tags)
    {
        var json = NewCode(source);
        if (tags.Length > 0)
        {
            json["metadata"]!["tags"] = new JsonArray([.. tags.Select(tag => (JsonNode)tag)]);
        }

        ((JsonArray)Json["cells"]!).Insert(index, json);
        var cell = new NotebookCell(json, "code", source);
        _cells.Insert(index, cell);
        AssignIds();
        return cell;
    }

    /// <summary>Makes the document a valid C# notebook of nbformat 4.5: version, cell ids, kernel and language; outputs of code cells are cleared.</summary>
    public void PrepareForExecution()
    {
        AssignIds();
        foreach (var cell in _cells.Where(cell => cell.IsCode && cell.IsCSharp))
        {
            cell.Json["execution_count"] = null;
            cell.Json["outputs"] = new JsonArray();
        }

        var metadata = (JsonObject)Json["metadata"]!;
        metadata["kernelspec"] = new JsonObject { ["display_name"] = ".NET (C#)", ["language"] = "C#", ["name"] = ".net-csharp" };
        if (metadata["language_info"] is not JsonObject language)
        {
            metadata["language_info"] = language = [];
        }

        language["name"] = "C#";
        language["file_extension"] = ".cs";
        language["mimetype"] = "text/x-csharp";
    }

    /// <summary>The document as the text of an .ipynb file.</summary>
    public string ToText() => Json.ToJsonString(Writing) + "\n";

    /// <summary>Writes the document; the folder is made where it does not exist.</summary>
    public void Save(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var temporary = path + ".part";
        File.WriteAllText(temporary, ToText());
        File.Move(temporary, path, overwrite: true);
    }

    internal static JsonArray Lines(string text)
    {
        var lines = new JsonArray();
        for (var start = 0; start < text.Length;)
        {
            var end = text.IndexOf('\n', start) is var found and >= 0 ? found + 1 : text.Length;
            lines.Add((JsonNode)text[start..end]);
            start = end;
        }

        return lines;
    }

    private static JsonObject NewCode(string source) => new()
    {
        ["cell_type"] = "code",
        ["execution_count"] = null,
        ["metadata"] = new JsonObject(),
        ["outputs"] = new JsonArray(),
        ["source"] = Lines(source),
    };

    private static T Expect<T>(JsonNode? node, string file, string place, string expected) where T : JsonNode =>
        node as T ?? throw new NotebookFormatException($"{file}: {place}: expected {expected}, found {(node is null ? "nothing" : $"a JSON {node.GetValueKind().ToString().ToLowerInvariant()}")}.");

    private static int Integer(JsonNode? node, string file, string place) =>
        node is JsonValue value && value.TryGetValue(out int number) ? number : throw new NotebookFormatException($"{file}: {place}: expected a whole number, found {node?.ToJsonString() ?? "nothing"}.");

    private static string ReadSource(JsonNode? node, string file, string place)
    {
        if (NotebookCell.Text(node) is { } text)
        {
            return text;
        }

        var lines = Expect<JsonArray>(node, file, place, "a string or a list of strings");
        return string.Concat(lines.Select((line, index) =>
            NotebookCell.Text(line) ?? throw new NotebookFormatException($"{file}: {place}[{index}]: expected a string.")));
    }

    private void Read(string file)
    {
        var major = Integer(Json["nbformat"], file, "nbformat");
        if (major != 4)
        {
            throw new NotebookFormatException($"{file}: nbformat {major} is not supported, only 4 is.");
        }

        Json["nbformat_minor"] = Math.Max(5, Json["nbformat_minor"] is { } minor ? Integer(minor, file, "nbformat_minor") : 0);
        if (Json["metadata"] is null)
        {
            Json["metadata"] = new JsonObject();
        }

        var metadata = Expect<JsonObject>(Json["metadata"], file, "metadata", "an object");
        if (metadata["kernelspec"] is JsonObject kernel && (NotebookCell.Text(kernel["language"]) ?? NotebookCell.Text(kernel["name"])) is { } language && !NotebookCell.IsCSharpName(language))
        {
            throw new NotebookFormatException($"{file}: metadata.kernelspec: a notebook in {language}; only C# notebooks can be run.");
        }

        var cells = Expect<JsonArray>(Json["cells"], file, "cells", "a list");
        for (var i = 0; i < cells.Count; i++)
        {
            _cells.Add(ReadCell(Expect<JsonObject>(cells[i], file, $"cells[{i}]", "an object"), file, $"cells[{i}]"));
        }
    }

    private static NotebookCell ReadCell(JsonObject json, string file, string place)
    {
        var type = NotebookCell.Text(json["cell_type"]);
        if (type is not ("code" or "markdown" or "raw"))
        {
            throw new NotebookFormatException($"{file}: {place}.cell_type: expected code, markdown or raw, found {json["cell_type"]?.ToJsonString() ?? "nothing"}.");
        }

        if (json["metadata"] is null)
        {
            json["metadata"] = new JsonObject();
        }

        Expect<JsonObject>(json["metadata"], file, $"{place}.metadata", "an object");
        if (type == "code")
        {
            json["outputs"] ??= new JsonArray();
            Expect<JsonArray>(json["outputs"], file, $"{place}.outputs", "a list");
            if (!json.ContainsKey("execution_count"))
            {
                json["execution_count"] = null;
            }
        }

        return new NotebookCell(json, type, ReadSource(json["source"], file, $"{place}.source"));
    }

    /// <summary>Gives every cell an id that is its own.</summary>
    internal void AssignIds()
    {
        var used = new HashSet<string>();
        foreach (var cell in _cells)
        {
            var id = NotebookCell.Text(cell.Json["id"]);
            if (id is not null && IdPattern().IsMatch(id) && used.Add(id))
            {
                continue;
            }

            var number = used.Count + 1;
            while (!used.Add($"cell-{number}") || _cells.Any(other => other != cell && NotebookCell.Text(other.Json["id"]) == $"cell-{number}"))
            {
                number++;
            }

            cell.Json["id"] = $"cell-{number}";
        }
    }

    [GeneratedRegex("^[a-zA-Z0-9_-]{1,64}\\z")]
    private static partial Regex IdPattern();
}
