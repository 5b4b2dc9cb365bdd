using System.Diagnostics;

namespace Toolkit.Notebook;

/// <summary>How a notebook is run.</summary>
public sealed record NotebookRunOptions
{
    /// <summary>The longest a cell may take; null for no limit.</summary>
    public TimeSpan? CellTimeout { get; init; }

    /// <summary>How long an interrupted cell may take to end.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Values for the parameters cell, each <c>name=value</c>.</summary>
    public IReadOnlyCollection<string> Parameters { get; init; } = [];

    /// <summary>What cells see as <c>Args</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The folder that relative paths in cells mean: the notebook's own.</summary>
    public string? WorkingFolder { get; init; }

    /// <summary>Called after each cell with the outputs so far in the document: to save it, so that a process that dies later loses nothing.</summary>
    public Action<NotebookDocument>? CellWritten { get; init; }

    /// <summary>The JavaScript of plotly.js; null takes the one of the Display room.</summary>
    public Func<string>? PlotlySource { get; init; }
}

/// <summary>How a run ended.</summary>
/// <param name="CellsRun">The number of code cells that were started.</param>
/// <param name="Error">What ended the run early, or null.</param>
/// <param name="Elapsed">The time of all cells.</param>
public sealed record NotebookRunResult(int CellsRun, CellError? Error, TimeSpan Elapsed);

/// <summary>Runs the cells of a document in a fresh <see cref="ScriptSession"/> and writes their outputs into it.</summary>
public static class NotebookRunner
{
    /// <summary>Runs a document. It ends at the first cell that fails; what ran until then is in the document.</summary>
    /// <exception cref="ArgumentException">The parameters do not fit the notebook.</exception>
    public static async Task<NotebookRunResult> Run(
        NotebookDocument document, NotebookRunOptions? options = null, RunObserver? observer = null, CancellationToken cancellation = default)
    {
        options ??= new NotebookRunOptions();
        observer ??= new RunObserver();
        NotebookParameters.Inject(document, options.Parameters);
        document.PrepareForExecution();
        var folder = Directory.GetCurrentDirectory();
        var clock = Stopwatch.StartNew();
        var outputs = new CellOutputs(options.PlotlySource);
        try
        {
            Directory.SetCurrentDirectory(options.WorkingFolder ?? folder);
            var (count, error) = await RunCells(document, options, observer, outputs, cancellation);
            return new NotebookRunResult(count, error, clock.Elapsed);
        }
        finally
        {
            outputs.WriteInto();
            Directory.SetCurrentDirectory(folder);
        }
    }

    private static async Task<(int Count, CellError? Error)> RunCells(
        NotebookDocument document, NotebookRunOptions options, RunObserver observer, CellOutputs outputs, CancellationToken cancellation)
    {
        using var session = new ScriptSession { Grace = options.Grace, Arguments = [.. options.Arguments] };
        var cells = document.Cells.Where(cell => cell.IsCode).ToArray();
        var started = 0;
        for (var i = 0; i < cells.Length; i++)
        {
            var (cell, number) = (cells[i], i + 1);
            if (!cell.IsCSharp && !cell.IsMarkup)
            {
                observer.CellSkipped(cell, number, $"its language is {cell.Language}, not C#");
                continue;
            }

            if (cancellation.IsCancellationRequested)
            {
                return (started, ErrorReport.OfInterrupt(number));
            }

            var clock = Stopwatch.StartNew();
            observer.CellStarted(cell, number, cells.Length);
            outputs.Begin(cell);
            started++;
            var error = await session.Run(new RunCell(cell.Runnable, number), Take, options.CellTimeout, cancellation);
            observer.CellEnded(cell, number, clock.Elapsed, error);
            outputs.WriteInto();
            options.CellWritten?.Invoke(document);
            if (error is not null)
            {
                return (started, error);
            }
        }

        return (started, null);

        void Take(SessionEvent happened)
        {
            outputs.Add(happened);
            observer.Happened(happened);
        }
    }
}
