using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary>The quickstart notebook, on a budget of seconds: every cell runs, and what it shows is looked at.</summary>
public sealed class QuickstartTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quickstart");

    private string Model => Path.Combine(_folder.FullName, "model");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Trains_saves_generates_and_shows_what_happened()
    {
        await Run("documents=12", "vocabularySize=512", "layers=2", "width=64", "heads=4", "steps=12", "batchSize=4", "sequenceLength=64", "generatedTokens=20");

        var document = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.FullName, "01-quickstart.ipynb")))!.AsObject();
        NotebookRules.Check(document);
        var shown = Shown(document);
        Assert.Contains(shown, text => text.Contains("PDDL", StringComparison.Ordinal) && text.Contains("12 documents", StringComparison.Ordinal));
        Assert.Contains(shown, text => text.Contains("byte-level byte-pair encoding", StringComparison.Ordinal) && text.Contains("512", StringComparison.Ordinal));
        Assert.Contains(shown, text => text.Contains("embed_tokens", StringComparison.Ordinal) && text.Contains("q_proj", StringComparison.Ordinal));
        Assert.Contains(shown, text => text.Contains("12/12 steps", StringComparison.Ordinal) && text.Contains("MFU", StringComparison.Ordinal));
        Assert.Contains(shown, text => text.Contains("bits per byte", StringComparison.Ordinal) && text.Contains("perplexity", StringComparison.Ordinal));
        Assert.Contains(shown, text => text.Contains("model.safetensors", StringComparison.Ordinal) && text.Contains("tokenizer.json", StringComparison.Ordinal));
        Assert.Contains(shown, text => text.StartsWith("My fellow citizens,", StringComparison.Ordinal) && text.Length > 30);
        Assert.Contains(shown, text => Regex.IsMatch(text, @"MBU \d+\.\d %"));
        Assert.Contains(shown, text => text.Contains("optimizer", StringComparison.Ordinal) && text.Contains("KV cache", StringComparison.Ordinal));
        Assert.All(new[] { "config.json", "model.safetensors", "tokenizer.json" }, file => Assert.True(File.Exists(Path.Combine(Model, file)), file));
        Assert.All(new[] { "trainer.json", "optimizer.safetensors" }, file => Assert.True(File.Exists(Path.Combine($"{Model}-run", file)), file));

        // About ln 512 = 6.2 nats a token at the start; twelve steps must have taught it something.
        var loss = double.Parse(Regex.Match(string.Concat(shown), @"validation loss\s+(\d+\.\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.InRange(loss, 2, 6);
    }

    [Fact]
    public async Task The_page_is_self_contained_and_has_every_figure()
    {
        await Run("documents=3", "vocabularySize=300", "layers=1", "width=32", "heads=4", "steps=6", "batchSize=2", "sequenceLength=16", "generatedTokens=4");

        var page = File.ReadAllText(Path.Combine(_folder.FullName, "01-quickstart.html"));
        Assert.Single(Regex.Matches(page, @"plotly\.js v\d"));
        Assert.Equal(3, Regex.Count(page, "<div class=\"tk-chart\">"));
        Assert.Empty(Regex.Matches(page, @"<(script|link|img)[^>]+(src|href)\s*=\s*[""']?(https?:)?//"));
    }

    private static IReadOnlyList<string> Shown(JsonObject document) =>
    [
        .. document["cells"]!.AsArray().SelectMany(cell => cell!["outputs"]?.AsArray() ?? [])
            .Select(output => output!["text"] is { } text ? text.Joined() : output["data"]?["text/plain"].Joined() ?? ""),
    ];

    private static string Notebooks([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "notebooks"));

    private async Task Run(params string[] parameters)
    {
        var request = new RunRequest(Path.Combine(Notebooks(), "01-quickstart.ipynb"), _folder.FullName, Timeout: 240, Parameters: [.. parameters, $"folder={Model}"]);
        var (output, errors) = (new StringWriter(), new StringWriter());
        var exitCode = await RunRequest.Execute(request, output, errors, redirected: true, TestContext.Current.CancellationToken);
        Assert.True(exitCode == 0, $"{output}\n{errors}");
    }
}
