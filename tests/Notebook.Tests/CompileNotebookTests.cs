using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary>The notebook that compiles a module written in a cell: every cell runs, and what it shows is what it promises.</summary>
public sealed class CompileNotebookTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task AModuleOfACell_IsCapturedCompiledBrokenAndSaved()
    {
        var file = Path.Combine(Notebooks(), "04-compile.ipynb");
        var (document, result) = await Run.Document(
            NotebookDocument.Load(file), new() { WorkingFolder = Notebooks(), Parameters = [$"folder={_folder.Path}", "layers=2", "width=64", "rounds=4", "steps=6", "decoded=16"] });
        Assert.Null(result.Error);
        var shown = document.Cells.Where(cell => cell.IsCode)
            .Select(cell => string.Join('\n', cell.Json["outputs"]!.AsArray().Select(output => output!["text"] is { } text ? text.Joined() : output.Plain()))).ToArray();

        // One graph, no break, nothing opaque, the same numbers.
        var first = Single("largest difference of a logit");
        Assert.InRange(double.Parse(Regex.Match(first, @"\d\.\de[+-]\d+").Value, CultureInfo.InvariantCulture), 0, 1e-4);
        Assert.Matches(@"1 graph of \d+ nodes, \d+ guards; calls: 1 compiled, 1 captured, 0 eager", first);
        Assert.DoesNotContain("break:", first);
        Assert.DoesNotContain("opaque:", first);

        // Every operation knows its module and its line.
        var graph = Single("Graph:");
        Assert.Matches(@"\nblocks\.1\.up\n +%\d+: f32\S+ \d+, \d+\] = linear\(", graph);
        Assert.Matches(@"cell \d+:\d+", graph);
        Assert.Contains("common subexpressions", Single("functionalisation"));
        Assert.Matches(@"softmax", Single("matrix products of libtorch"));
        Assert.Contains("public static void", Single("FLOPs, "));
        Assert.Equal(4, Regex.Count(Single("Eager and compiled in turn"), @"\d+\.\d\d\s*$", RegexOptions.Multiline));

        // Text is a graph; each way of going further has more of it done.
        Assert.EndsWith("True", Single("= aten::gelu(").TrimEnd());
        Assert.Matches(@"Captured +\d+ +0 .*\n.*Simplified +\d+ +0 .*\n.*Kernels +\d+ +[1-9]", Single("as far as it is taken"));
        Assert.True(File.Exists(Path.Combine(_folder.Path, "gpt.onnx")));

        // The break names method, line and what to write instead.
        Assert.Contains(shown, text => Regex.IsMatch(text, @"Gate\.forward cell \d+:\d+: Tensor\.item .*torch\.where"));

        // It is split there: a graph before, one for each way that follows.
        Assert.Matches(@"3 graphs of [\d, ]+ nodes, \d+ guards; calls: 2 compiled, 2 captured, 0 eager", Single("goes on: Gate.forward"));
        Assert.Matches(@"^[\d,]+ FLOPs \([\d,]+ in products\)", Single("of activations at most"));

        // One capture stands for any number of ids.
        var sizes = Single("50 ids, largest difference");
        Assert.Contains("calls: 4 compiled, 1 captured, 0 eager; 4 further sizes", sizes);
        Assert.All(Regex.Matches(sizes, @"difference: (\S+)"), line => Assert.InRange(Number(line, 1), 0, 1e-4));

        // Training takes the same steps.
        var training = Single("trained by a forward graph");
        var losses = Regex.Matches(training, @"^\s+\d\s+(\d+\.\d+)\s+(\d+\.\d+)\s", RegexOptions.Multiline);
        Assert.Equal(6, losses.Count);
        Assert.All(losses, line => Assert.Equal(Number(line, 1), Number(line, 2), 1e-3));
        Assert.True(Number(losses[5], 1) < Number(losses[0], 1), training);

        // Another process computes the same from the file.
        var saved = Single("has no class Gpt").TrimEnd().Split('\n');
        Assert.EndsWith("fits: True", saved[2]);
        Assert.Equal(saved[4], saved[3]);
        Assert.True(File.Exists(Path.Combine(_folder.Path, "gpt.tkx")));

        Assert.Contains("the same text, greedily", Single("tokens/s eager"));
        Assert.Contains("MBU", Single("Decode bandwidth"));

        static double Number(Match match, int group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

        string Single(string words) => Assert.Single(shown, text => text.Contains(words, StringComparison.Ordinal));
    }

    private static string Notebooks([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "notebooks"));
}
