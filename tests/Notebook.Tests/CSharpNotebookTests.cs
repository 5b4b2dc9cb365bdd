using System.Runtime.CompilerServices;
using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary>The notebook that shows what a cell can do: every cell runs, and what it shows is looked at.</summary>
public sealed class CSharpNotebookTests
{
    [Fact]
    public async Task EveryCellShowsWhatItsTextPromises()
    {
        var file = Path.Combine(Notebooks(), "02-csharp-notebook.ipynb");
        var (document, result) = await Run.Document(NotebookDocument.Load(file), new() { WorkingFolder = Notebooks(), Parameters = ["rounds=10"] });
        Assert.Null(result.Error);
        var shown = document.Cells.Where(cell => cell.IsCode).Select(cell => string.Join('\n', cell.Json["outputs"]!.AsArray().Select(output => output!["text"] is { } text ? text.Joined() : output.Plain()))).ToArray();
        Contains("matmul 64", "PerItem");
        Contains("f, then sas");
        Contains("tensor (24, 24) float32", "deviation");
        Contains("golden ratio", "1.61803");
        Contains("3 rows × 2 columns");
        Contains("Sequential, 2,128 parameters");
        Contains("10/10 rounds");
        Contains("matmul 64:", " ms");
        Contains("References work in one line");
        Contains("Wall time:", "3.14159");
        Contains("List<Measurement>", "(2,128)");
        Contains("caught: InsufficientExecutionStackException", "error stream");

        void Contains(params string[] words) => Assert.Contains(shown, text => words.All(word => text.Contains(word, StringComparison.Ordinal)));
    }

    private static string Notebooks([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "notebooks"));
}
