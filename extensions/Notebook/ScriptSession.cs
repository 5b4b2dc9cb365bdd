using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;
using Toolkit.Display;

namespace Toolkit.Notebook;

/// <summary>
/// One C# scripting session: <see cref="RunCell"/> commands in, <see cref="SessionEvent"/>s out. Cells share variables, types and usings.
/// The headless runner, a Jupyter kernel and a REPL are adapters over this. One session at a time: it holds the console and the display host.
/// </summary>
public sealed partial class ScriptSession : IDisposable
{
    private readonly Lock _gate = new();
    private readonly SessionThread _thread = new();
    private readonly Dictionary<int, string> _sources = [];
    private readonly ErrorReport _errors;
    private readonly SessionGlobals _globals;
    private readonly ConsoleCapture _capture;
    private readonly IDisplayHost _previousHost;
    private CancellationTokenSource _interrupt = new();
    private Action<SessionEvent>? _sink;
    private ScriptState<object>? _state;
    private bool _abandoned;

    /// <summary>Starts a session: console output and displays of this process go to it until it is disposed.</summary>
    public ScriptSession()
    {
        _errors = new ErrorReport(_sources.GetValueOrDefault);
        _globals = new SessionGlobals(() => _interrupt.Token);
        _previousHost = Output.Host;
        Output.Host = new SessionHost(this);
        _capture = new ConsoleCapture((stream, text) => Raise(new TextWritten(stream, text)), () => ReadLine?.Invoke());
    }

    /// <summary>How long a cell that was told to stop may take before it is abandoned.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Where <c>Console.ReadLine</c> in a cell gets its line from; null: there is no input.</summary>
    public Func<string?>? ReadLine { get; set; }

    /// <summary>Runs one cell. Events arrive on <paramref name="sink"/>, one at a time; later output of background work still goes to the latest sink.</summary>
    /// <param name="cell">The command.</param>
    /// <param name="sink">Receives the events in order.</param>
    /// <param name="timeout">The longest the cell may take; null for no limit.</param>
    /// <param name="cancellation">Interrupts the cell: the cell's <c>Interrupted</c> token is cancelled and its end is awaited.</param>
    /// <returns>The error that ended the cell, or null.</returns>
    public async Task<CellError?> Run(RunCell cell, Action<SessionEvent> sink, TimeSpan? timeout = null, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_abandoned, this);
        _sources[cell.Cell] = cell.Code;
        lock (_gate)
        {
            _sink = sink;
        }

        _interrupt = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        CellInterrupt.Follow(_interrupt);
        var error = await RunWithin(cell, timeout, cancellation).ConfigureAwait(false);
        if (error is not null)
        {
            Raise(new CellFailed(error));
        }

        if (_abandoned)
        {
            lock (_gate)
            {
                _sink = null;
            }
        }

        return error;
    }

    /// <summary>What could stand at a position of code that follows everything that was run.</summary>
    public CompletionList Complete(string code, int position) => CodeAssistant.Complete(Next(code, 0).GetCompilation(), position);

    /// <summary>The declaration of what stands at a position of code that follows everything that was run, or null.</summary>
    public string? Inspect(string code, int position) => CodeAssistant.Inspect(Next(code, 0).GetCompilation(), position);

    /// <inheritdoc/>
    public void Dispose()
    {
        _capture.Dispose();
        CellInterrupt.Follow(null);
        Output.Host = _previousHost;
        lock (_gate)
        {
            _sink = null;
        }

        _thread.Dispose();
    }

    private async Task<CellError?> RunWithin(RunCell cell, TimeSpan? timeout, CancellationToken cancellation)
    {
        var running = _thread.Start(() => Execute(cell));
        if (timeout is { } limit && !await EndsWithin(running, limit).ConfigureAwait(false) && !cancellation.IsCancellationRequested)
        {
            await _interrupt.CancelAsync().ConfigureAwait(false);
            _abandoned = !await EndsWithin(running, Grace).ConfigureAwait(false);
            return ErrorReport.OfTimeout(cell.Cell, limit, _abandoned);
        }

        var error = await running.ConfigureAwait(false);
        return cancellation.IsCancellationRequested && error is null or { Kind: CellErrorKind.Interrupted } ? ErrorReport.OfInterrupt(cell.Cell) : error;
    }

    private static async Task<bool> EndsWithin(Task task, TimeSpan limit) => await Task.WhenAny(task, Task.Delay(limit)).ConfigureAwait(false) == task;

    private async Task<CellError?> Execute(RunCell cell)
    {
        try
        {
            var script = Next(InterruptRewriter.Rewrite(cell.Code), cell.Cell);
            var diagnostics = script.Compile();
            if (diagnostics.Any(IsError))
            {
                // The user's own words for the message; should only the checks be at fault, the cell runs without them.
                script = Next(cell.Code, cell.Cell);
                diagnostics = script.Compile();
                if (diagnostics.Any(IsError))
                {
                    return _errors.OfCompilation(cell.Cell, diagnostics);
                }
            }

            _state = await (_state is null ? script.RunAsync(_globals, _ => true) : script.RunFromAsync(_state, _ => true));
            if (_state.Exception is { } exception)
            {
                var interrupted = IsCancellation(exception) && _interrupt.IsCancellationRequested;
                return _errors.OfException(cell.Cell, exception, interrupted ? CellErrorKind.Interrupted : CellErrorKind.Exception);
            }

            if (_state.ReturnValue is not (null or DisplayHandle))
            {
                Raise(new ResultProduced(Formatter.Format(_state.ReturnValue)));
            }

            return null;
        }
        catch (Exception error)
        {
            // A formatter that throws, or the compiler itself: still the cell's failure, never the host's.
            return _errors.OfException(cell.Cell, error);
        }
    }

    /// <summary>Parallel loops report the interruption of each of their branches.</summary>
    private static bool IsCancellation(Exception exception) =>
        exception is OperationCanceledException || (exception is AggregateException many && many.Flatten().InnerExceptions.All(IsCancellation));

    private static bool IsError(Diagnostic diagnostic) => diagnostic.Severity == DiagnosticSeverity.Error;

    private Script<object> Next(string code, int cell)
    {
        var options = ScriptReferences.Options.WithFilePath(ErrorReport.PathOf(cell));
        // Positions stay what they are: the directive becomes a comment of the same length.
        var script = KnownPackage().Replace(code, match => "//" + match.Value[Math.Min(2, match.Length)..]);
        return _state is null ? CSharpScript.Create<object>(script, options, typeof(SessionGlobals)) : _state.Script.ContinueWith<object>(script, options);
    }

    private void Raise(SessionEvent happened)
    {
        lock (_gate)
        {
            _sink?.Invoke(happened);
        }
    }

    // Notebooks that also run in .NET Interactive begin with a package reference to what is here already.
    [GeneratedRegex("^#(r\\s+\"nuget:\\s*(Toolkit|TorchSharp|libtorch|Plotly\\.NET|Spectre\\.Console)[^\"\\n]*\"|!(csharp|c#|cs))", RegexOptions.Multiline)]
    private static partial Regex KnownPackage();

    private sealed class SessionHost(ScriptSession session) : IDisplayHost
    {
        // A verb of the library that shows how far it is (a training run, generated text) is interrupted where it does so.
        public void Display(MimeBundle bundle, string displayId, bool update)
        {
            session.Raise(new ValueDisplayed(bundle, displayId, update));
            if (bundle.Completion is not null)
            {
                CellInterrupt.Check();
            }
        }

        public void Write(string text)
        {
            session.Raise(new TextWritten("stdout", text));
            CellInterrupt.Check();
        }
    }
}
