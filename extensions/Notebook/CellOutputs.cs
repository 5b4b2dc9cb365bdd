using System.Text;
using System.Text.Json.Nodes;
using Toolkit.Display;

namespace Toolkit.Notebook;

/// <summary>Collects the events of a document's cells and writes them as nbformat outputs. Knows every shown id, so an update reaches earlier cells too.</summary>
public sealed class CellOutputs
{
    /// <summary>The metadata key that marks the output which carries plotly.js.</summary>
    public const string LibraryMark = "toolkit_library";

    private readonly Lock _gate = new();
    private readonly Dictionary<string, List<Entry>> _shown = [];
    private readonly List<(NotebookCell Cell, List<Entry> Entries)> _cells = [];
    private readonly Func<string> _plotly;
    private bool _hasPlotly;

    /// <summary>Starts the outputs of one document.</summary>
    /// <param name="plotlySource">The JavaScript of plotly.js; the one of the Display room where none is given.</param>
    public CellOutputs(Func<string>? plotlySource = null) => _plotly = plotlySource ?? (() => PlotlyScript.Source);

    /// <summary>From here on, events belong to this cell.</summary>
    public void Begin(NotebookCell cell)
    {
        lock (_gate)
        {
            _cells.Add((cell, []));
        }
    }

    /// <summary>Takes one event of the current cell.</summary>
    public void Add(SessionEvent happened)
    {
        lock (_gate)
        {
            var entries = _cells[^1].Entries;
            switch (happened)
            {
                case TextWritten text:
                    AddText(entries, text);
                    break;
                case ValueDisplayed { Update: true } update when _shown.TryGetValue(update.DisplayId, out var earlier):
                    BringPlotly(entries, update.Bundle, earlier[0]);
                    earlier.ForEach(entry => entry.Bundle = update.Bundle);
                    break;
                case ValueDisplayed display:
                    AddDisplay(entries, display);
                    break;
                case ResultProduced result:
                    BringPlotly(entries, result.Bundle, null);
                    entries.Add(new Entry("execute_result") { Bundle = result.Bundle });
                    break;
                case OutputsCleared:
                    entries.RemoveAll(entry => !entry.IsLibrary);
                    break;
                case CellFailed failed:
                    entries.Add(new Entry("error") { Error = failed.Error });
                    break;
            }
        }
    }

    /// <summary>Writes what has arrived so far into the cells' JSON. May be called at any time, and again.</summary>
    public void WriteInto()
    {
        lock (_gate)
        {
            foreach (var (index, (cell, entries)) in _cells.Index())
            {
                cell.Json["execution_count"] = index + 1;
                cell.Json["outputs"] = new JsonArray([.. entries.Select(entry => (JsonNode)entry.ToJson(index + 1))]);
            }
        }
    }

    private static void AddText(List<Entry> entries, TextWritten text)
    {
        if (entries.LastOrDefault() is not { Text: { } running, Name: var name } || name != text.Stream)
        {
            running = new StringBuilder();
            entries.Add(new Entry("stream") { Name = text.Stream, Text = running });
        }

        running.Append(text.Text);
    }

    private void AddDisplay(List<Entry> entries, ValueDisplayed display)
    {
        BringPlotly(entries, display.Bundle, null);
        var entry = new Entry("display_data") { Bundle = display.Bundle };
        entries.Add(entry);
        if (!_shown.TryGetValue(display.DisplayId, out var same))
        {
            _shown[display.DisplayId] = same = [];
        }

        same.Add(entry);
    }

    // The library stands before the first output that draws with it, wherever that output is.
    private void BringPlotly(List<Entry> current, MimeBundle bundle, Entry? before)
    {
        if (!bundle.NeedsPlotly || _hasPlotly)
        {
            return;
        }

        _hasPlotly = true;
        var entries = before is null ? current : _cells.First(cell => cell.Entries.Contains(before)).Entries;
        var library = new Entry("display_data") { Bundle = MimeBundle.Of(LibraryScript(_plotly()), "plotly.js"), IsLibrary = true };
        entries.Insert(before is null ? entries.Count : entries.IndexOf(before), library);
    }

    private sealed class Entry(string type)
    {
        public string? Name { get; init; }

        public StringBuilder? Text { get; init; }

        public MimeBundle? Bundle { get; set; }

        public CellError? Error { get; init; }

        public bool IsLibrary { get; init; }

        public JsonObject ToJson(int count) => type switch
        {
            "stream" => new JsonObject { ["output_type"] = type, ["name"] = Name, ["text"] = NotebookDocument.Lines(Text!.ToString()) },
            "error" => new JsonObject
            {
                ["output_type"] = type,
                ["ename"] = Error!.Name,
                ["evalue"] = Error.Message,
                ["traceback"] = new JsonArray([.. Error.Traceback.Select(line => (JsonNode)line)]),
            },
            _ => Rich(count),
        };

        private JsonObject Rich(int count)
        {
            var json = new JsonObject { ["output_type"] = type, ["data"] = Data(Bundle!, asLines: true), ["metadata"] = IsLibrary ? new JsonObject { [LibraryMark] = "plotly.js" } : [] };
            if (type == "execute_result")
            {
                json["execution_count"] = count;
            }

            return json;
        }
    }

    /// <summary>The representations as JSON, keyed by MIME type: text as lines in a document, as one string in a message.</summary>
    internal static JsonObject Data(MimeBundle bundle, bool asLines)
    {
        var data = new JsonObject();
        foreach (var (mime, text) in bundle.Parts)
        {
            var isJson = mime == "application/json" || mime.EndsWith("+json", StringComparison.Ordinal);
            var isBinary = mime.StartsWith("image/", StringComparison.Ordinal) && mime != "image/svg+xml";
            data[mime] = isJson ? JsonNode.Parse(text) : isBinary || !asLines ? text : NotebookDocument.Lines(text);
        }

        return data;
    }

    internal static string LibraryScript(string plotly) => PlotlyScript.ElementOf(plotly);
}
