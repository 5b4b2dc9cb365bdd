namespace Toolkit.Notebook;

/// <summary>What <c>toolkit run</c> was asked for.</summary>
internal sealed record RunRequest(string Notebook, string? Output = null, string? Html = null, double? Timeout = null, IReadOnlyCollection<string>? Parameters = null, IReadOnlyList<string>? Arguments = null)
{
    /// <summary>Runs it and says so on <paramref name="output"/>. Returns the exit code: 0, 1 for a failed cell, 2 for a notebook that cannot be run at all.</summary>
    public static async Task<int> Execute(RunRequest request, TextWriter output, TextWriter error, bool redirected, CancellationToken cancellation = default)
    {
        var source = Path.GetFullPath(request.Notebook);
        if (ScriptRun.IsScript(source))
        {
            return await ScriptRun.Execute(source, request.Arguments ?? [], output, error, cancellation);
        }

        var (notebook, page) = request.Targets(source);
        try
        {
            if (notebook == source)
            {
                throw new ArgumentException($"{request.Notebook}: --output is the notebook itself; a source is never overwritten.");
            }

            var document = Documents.DocumentFile.Load(source);
            var options = new NotebookRunOptions
            {
                CellTimeout = request.Timeout is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                Parameters = request.Parameters ?? [],
                Arguments = request.Arguments ?? [],
                WorkingFolder = Path.GetDirectoryName(source),
                CellWritten = run => run.Save(notebook),
            };
            var result = await NotebookRunner.Run(document, options, new TerminalProgress(output, redirected, TimeProvider.System), cancellation);
            document.Save(notebook);
            HtmlExport.Save(document, page, Path.GetFileNameWithoutExtension(source));
            output.WriteLine();
            output.WriteLine(notebook);
            output.WriteLine(page);
            output.WriteLine($"{result.CellsRun} cells in {TerminalProgress.Seconds(result.Elapsed)}{(result.Error is { } failed ? $"; stopped at cell {failed.Cell}: {failed.Name}" : "")}");
            return result.Error is null ? 0 : 1;
        }
        catch (Exception wrong) when (wrong is NotebookFormatException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            error.WriteLine(wrong.Message);
            return 2;
        }
    }

    internal (string Notebook, string Page) Targets(string source)
    {
        var name = Path.ChangeExtension(Path.GetFileName(source), ".ipynb");
        var notebook = Output switch
        {
            null => Path.Combine(Path.GetDirectoryName(source)!, "out", name),
            _ when Output.EndsWith(".ipynb", StringComparison.OrdinalIgnoreCase) => Path.GetFullPath(Output),
            _ => Path.Combine(Path.GetFullPath(Output), name),
        };
        return (notebook, Html is null ? Path.ChangeExtension(notebook, ".html") : Path.GetFullPath(Html));
    }
}
