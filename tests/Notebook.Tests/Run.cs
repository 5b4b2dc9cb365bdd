using System.Text.Json.Nodes;
using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary>Runs little notebooks and asks what came out.</summary>
internal static class Run
{
    public const string FakePlotly = "window.Plotly = 'fake';";

    public const string FakeChart =
        "new MimeBundle(new Dictionary<string, string> { [\"text/html\"] = \"<div>chart</div>\", [\"text/plain\"] = \"chart\" }) { NeedsPlotly = true }";

    public static async Task<(NotebookDocument Document, NotebookRunResult Result)> Cells(params string[] sources) =>
        await Document(NotebookDocument.Of(sources));

    public static async Task<(NotebookDocument Document, NotebookRunResult Result)> Document(NotebookDocument document, NotebookRunOptions? options = null)
    {
        var result = await NotebookRunner.Run(document, (options ?? new NotebookRunOptions()) with { PlotlySource = () => FakePlotly });
        NotebookRules.Check(document.Json);
        return (document, result);
    }

    public static JsonArray Outputs(this NotebookDocument document, int cell) => (JsonArray)document.Cells[cell].Json["outputs"]!;

    public static string Kind(this JsonNode? output) => (string)output!["output_type"]!;

    public static string Joined(this JsonNode? lines) => lines is JsonArray list ? string.Concat(list.Select(line => (string)line!)) : (string)lines!;

    public static string Plain(this JsonNode? output) => output!["data"]!["text/plain"].Joined();
}
