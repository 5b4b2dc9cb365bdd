using System.Diagnostics;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;
using Toolkit.Display;
using Toolkit.Notebook.Documents;
using Toolkit.Notebook.Magics;
using Toolkit.Notebook.References;

namespace Toolkit.Notebook;

/// <summary>
/// One C# scripting session: <see cref="RunCell"/> commands in, <see cref="SessionEvent"/>s out. Cells share variables, types and usings.
/// The headless runner, a Jupyter kernel and a REPL are adapters over this. One session at a time: it holds the console and the display host.
/// </summary>
public sealed class ScriptSession : IDisposable
{
    private static readonly TimeSpan WakePause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly Lock _gate = new();
    private readonly SessionThread _thread = new();
    private readonly SessionReferences _references = new();
    private readonly Dictionary<string, string> _sources = [];
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, Compilation> _compilations = [];
    private readonly HashSet<string> _imported = [];
    private readonly ErrorReport _errors;
    private readonly SessionGlobals _globals;
    private readonly ConsoleCapture _capture;
    private readonly IDisplayHost _previousHost;
    private CancellationTokenSource _interrupt = new();
    private Action<SessionEvent>? _sink;
    private ScriptState<object>? _state;
    private object? _result;
    private int _inherited;
    private bool _abandoned;

    /// <summary>Starts a session: console output and displays of this process go to it until it is disposed.</summary>
    public ScriptSession()
    {
        _errors = new ErrorReport(path => _sources.GetValueOrDefault(path) ?? _references.Sources.Original(path));
        Comms = new CommHub(Raise);
        _globals = new SessionGlobals(() => _interrupt.Token, Comms);
        _previousHost = Output.Host;
        Output.Host = new SessionHost(this);
        _capture = new ConsoleCapture((stream, text) => Raise(new TextWritten(stream, text)), () => ReadLine?.Invoke());
        Graphs.Il.SourceMap.Provider = DebuggingInformation;
        BackgroundFailures.Report(failure => Raise(new TextWritten("stderr", $"An exception ended a background thread: {failure}\n")));
    }

    /// <summary>How long a cell that was told to stop may take before it is abandoned.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Namespaces and static classes whose names cells see, beside the usual ones.</summary>
    public IReadOnlyCollection<string> Imports { get; init; } = [];

    /// <summary>The words that cells see as <c>Args</c>.</summary>
    public IList<string> Arguments
    {
        get => _globals.Args;
        init => _globals.Args = value;
    }

    /// <summary>Where <c>Console.ReadLine</c> in a cell gets its line from; null: there is no input.</summary>
    public Func<string?>? ReadLine { get; set; }

    /// <summary>Channels to code in the front end.</summary>
    public CommHub Comms { get; }

    /// <summary>The value of the last expression of the last cell, or null.</summary>
    public object? LastResult => _result;

    /// <summary>Runs one cell. Events arrive on <paramref name="sink"/>, one at a time; later output of background work still goes to the latest sink.</summary>
    /// <param name="cell">The command.</param>
    /// <param name="sink">Receives the events in order.</param>
    /// <param name="timeout">The longest the cell may take; null for no limit.</param>
    /// <param name="cancellation">Interrupts the cell: the cell's <c>Interrupted</c> token is cancelled and its end is awaited.</param>
    /// <returns>The error that ended the cell, or null.</returns>
    public async Task<CellError?> Run(RunCell cell, Action<SessionEvent> sink, TimeSpan? timeout = null, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_abandoned, this);
        _sources[ErrorReport.PathOf(cell)] = cell.Code;
        lock (_gate)
        {
            _sink = sink;
        }

        _interrupt = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Interruption.Follow(_interrupt);
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
    public CompletionList Complete(string code, int position) =>
        SessionCommands.Complete(code, position) ?? CodeAssistant.Complete(Upcoming(code), position);

    /// <summary>The declaration and documentation of what stands at a position of code that follows everything that was run, or null.</summary>
    /// <param name="code">The code.</param>
    /// <param name="position">A position in it.</param>
    /// <param name="everything">Whether all of the documentation is wanted, and the value of a variable.</param>
    public string? Inspect(string code, int position, bool everything = false)
    {
        var found = CodeAssistant.Inspect(Upcoming(code), position, everything, out var name);
        var value = everything && name is not null ? _state?.GetVariable(name) : null;
        return value is null ? found : $"{found}\n\nvalue: {Formatter.Format(value.Value).Plain}";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _capture.Dispose();
        BackgroundFailures.Report(null);
        Graphs.Il.SourceMap.Provider = null;
        Interruption.Follow(null);
        Output.Host = _previousHost;
        lock (_gate)
        {
            _sink = null;
        }

        _references.Dispose();
        _thread.Dispose();
    }

    private static async Task<bool> EndsWithin(Task task, TimeSpan limit) => await Task.WhenAny(task, Task.Delay(limit)).ConfigureAwait(false) == task;

    private static bool IsError(Diagnostic diagnostic) => diagnostic.Severity == DiagnosticSeverity.Error;

    /// <summary>Parallel loops report the interruption of each of their branches.</summary>
    private static bool IsCancellation(Exception exception) => exception is OperationCanceledException or ThreadInterruptedException
        || (exception is AggregateException many && many.Flatten().InnerExceptions.All(IsCancellation));

    private async Task<CellError?> RunWithin(RunCell cell, TimeSpan? timeout, CancellationToken cancellation)
    {
        var running = RunParts(cell);
        using var wake = _interrupt.Token.Register(() => _ = Wake(running));
        if (timeout is { } limit && !await EndsWithin(running, limit).ConfigureAwait(false) && !cancellation.IsCancellationRequested)
        {
            await _interrupt.CancelAsync().ConfigureAwait(false);
            _abandoned = !await EndsWithin(running, Grace).ConfigureAwait(false);
            return ErrorReport.OfTimeout(cell.Cell, limit, _abandoned);
        }

        var error = await running.ConfigureAwait(false);
        return cancellation.IsCancellationRequested && error is null or { Kind: CellErrorKind.Interrupted } ? ErrorReport.OfInterrupt(cell.Cell) : error;
    }

    /// <summary>A cell that sleeps or waits when it is interrupted is woken; one inside native code is waited for, and the user is told.</summary>
    private async Task Wake(Task running)
    {
        var told = false;
        for (var clock = Stopwatch.StartNew(); !await EndsWithin(running, WakePause).ConfigureAwait(false);)
        {
            _thread.Wake();
            if (!told && clock.Elapsed > Patience)
            {
                told = true;
                Raise(new TextWritten("stderr", "The cell is inside a call that cannot be interrupted, such as a native operation: it ends when that call returns. To end it now, restart the session.\n"));
            }
        }
    }

    private async Task<CellError?> RunParts(RunCell cell)
    {
        _result = null;
        var clock = Stopwatch.StartNew();
        var parts = CellParser.Parse(cell.Code);
        foreach (var part in parts)
        {
            if (await _thread.Start(() => RunPart(cell, part)).ConfigureAwait(false) is { } error)
            {
                return error;
            }
        }

        if (parts.Any(part => part.Name == SessionCommands.Time))
        {
            Show(MimeBundle.Text(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"Wall time: {clock.Elapsed.TotalMilliseconds:N1} ms")));
        }

        return null;
    }

    private async Task<CellError?> RunPart(RunCell cell, CellPart part)
    {
        try
        {
            if (part.IsCSharp)
            {
                return await RunCode(cell, part.Text);
            }

            if (CellParser.LanguageOf(part.Name) is { } language)
            {
                Show(Markup.Bundle(language, part.Text));
                return null;
            }

            return part.Name switch
            {
                SessionCommands.Time => null,
                SessionCommands.Who => Show(VariableTable.Names(_state?.Variables ?? []).ToMimeBundle()),
                SessionCommands.Whos => Show(VariableTable.Details(_state?.Variables ?? []).ToMimeBundle()),
                SessionCommands.List => Show(SessionCommands.Table().ToMimeBundle()),
                SessionCommands.Import => await Import(cell, part),
                "" => null,
                _ => throw new DirectiveException("Magic", $"#!{part.Name} is not known here; known: {string.Join(", ", SessionCommands.Names.Select(name => $"#!{name}"))}.", part.Line),
            };
        }
        catch (DirectiveException problem)
        {
            return _errors.OfDirective(cell, problem.Line > 0 ? problem : new DirectiveException(problem.Name, problem.Message, part.Line));
        }
        catch (Exception error)
        {
            // A formatter that throws, or the compiler itself: still the cell's failure, never the host's.
            return _errors.OfException(cell, error, IsCancellation(error) && _interrupt.IsCancellationRequested ? CellErrorKind.Interrupted : CellErrorKind.Exception);
        }
        finally
        {
            ClearWake();
        }
    }

    private async Task<CellError?> RunCode(RunCell cell, string text)
    {
        var (code, directives) = Directive.Extract(text);
        if (directives.Count > 0)
        {
            Follow(cell, directives);
        }

        var script = Next(InterruptRewriter.Rewrite(code), cell);
        var diagnostics = script.Compile();
        if (diagnostics.Any(IsError))
        {
            // The user's own words for the message; should only the checks be at fault, the cell runs without them.
            script = Next(code, cell);
            diagnostics = script.Compile();
            if (diagnostics.Any(IsError))
            {
                return _errors.OfCompilation(cell, diagnostics);
            }
        }

        var compilation = script.GetCompilation();
        _compilations[compilation.AssemblyName!] = compilation;
        var added = _references.Added.Count;
        _state = await (_state is null ? script.RunAsync(_globals, _ => true) : script.RunFromAsync(_state, _ => true));
        _inherited = added;
        if (_state.Exception is { } exception)
        {
            var interrupted = IsCancellation(exception) && _interrupt.IsCancellationRequested;
            return _errors.OfException(cell, exception, interrupted ? CellErrorKind.Interrupted : CellErrorKind.Exception);
        }

        _result = _state.ReturnValue;
        if (_result is not (null or DisplayHandle))
        {
            Raise(new ResultProduced(Formatter.Format(_result)));
        }

        return null;
    }

    /// <summary>Packages, projects and files come before the code that uses them; this blocks the session's own thread.</summary>
    private void Follow(RunCell cell, IReadOnlyList<Directive> directives)
    {
        var folder = FolderOf(cell);
        _references.Sources.Folder = folder;
        DisplayHandle? shown = null;
        var fresh = _references.Follow(directives, folder, Tell, _interrupt.Token).GetAwaiter().GetResult();
        foreach (var package in fresh)
        {
            LoadExtension(cell, package);
        }

        void Tell(string text)
        {
            if (cell.File is not null)
            {
                return;
            }

            if (shown is null)
            {
                shown = MimeBundle.Text(text).Show();
            }
            else
            {
                shown.Update(MimeBundle.Text(text));
            }
        }
    }

    /// <summary>Packages made for .NET Interactive may bring a script that runs when they are referenced.</summary>
    private void LoadExtension(RunCell cell, RestoredPackage package)
    {
        var file = Path.Combine(package.Folder, "interactive-extensions", "dotnet", "extension.dib");
        if (!File.Exists(file))
        {
            return;
        }

        var error = RunDocument(cell, DibFormat.Read(File.ReadAllText(file), file), file);
        if (error is not null)
        {
            Raise(new TextWritten("stderr", $"The extension of package {package.Id} did not load: {error.Name}: {error.Message}\n"));
        }
    }

    private async Task<CellError?> Import(RunCell cell, CellPart part)
    {
        var path = Path.GetFullPath(Path.Combine(FolderOf(cell), part.Text.Trim().Trim('"')));
        if (!File.Exists(path))
        {
            throw new DirectiveException("Import", $"#!import: the file '{path}' does not exist.", part.Line);
        }

        if (!_imported.Add(path))
        {
            throw new DirectiveException("Import", $"#!import: '{path}' imports itself.", part.Line);
        }

        try
        {
            if (Path.GetExtension(path).ToLowerInvariant() is ".cs" or ".csx")
            {
                _sources[path] = File.ReadAllText(path);
                return await RunCode(new RunCell(_sources[path], cell.Cell) { File = path }, CellParser.CSharpOnly(_sources[path]));
            }

            return RunDocument(cell, DocumentFile.Load(path), path);
        }
        catch (NotebookFormatException problem)
        {
            throw new DirectiveException("Import", problem.Message, part.Line);
        }
        finally
        {
            _imported.Remove(path);
        }
    }

    /// <summary>Runs the C# cells of a document here and now.</summary>
    private CellError? RunDocument(RunCell cell, NotebookDocument document, string path)
    {
        foreach (var (index, inner) in document.Cells.Index().Where(item => item.Item.IsCode))
        {
            var imported = new RunCell(inner.Source, cell.Cell) { File = $"{path}#{index + 1}" };
            _sources[imported.File] = inner.Source;
            foreach (var part in CellParser.Parse(inner.Source).Where(_ => inner.Language is null || inner.IsCSharp || CellParser.LanguageOf(inner.Language) is null))
            {
                if (RunPart(imported, part).GetAwaiter().GetResult() is { } error)
                {
                    return error;
                }
            }
        }

        return null;
    }

    /// <summary>Lines of a cell, for what looks into its machine code: compiled once more, into nothing but debugging information.</summary>
    private byte[]? DebuggingInformation(System.Reflection.Assembly assembly)
    {
        if (!_compilations.TryGetValue(assembly.GetName().Name ?? "", out var compilation))
        {
            return null;
        }

        using var lines = new MemoryStream();
        var emitted = compilation.Emit(Stream.Null, lines, options: new Microsoft.CodeAnalysis.Emit.EmitOptions(debugInformationFormat: Microsoft.CodeAnalysis.Emit.DebugInformationFormat.PortablePdb));
        return emitted.Success ? lines.ToArray() : null;
    }

    private static string FolderOf(RunCell cell) => cell.File is { } file ? Path.GetDirectoryName(file)! : Directory.GetCurrentDirectory();

    private Compilation Upcoming(string code) => Next(Directive.Extract(CellParser.CSharpOnly(code)).Code, new RunCell(code, 0)).GetCompilation();

    private Script<object> Next(string code, RunCell cell)
    {
        // Later cells inherit what the first was given; given to each again, names and references would add up to gigabytes over a thousand cells.
        var options = _state is null
            ? ScriptReferences.Options.AddReferences(_references.Added).AddImports(Imports)
            : ScriptReferences.Options.WithReferences(_references.Added.Skip(_inherited)).WithImports();
        options = options.WithSourceResolver(_references.Sources).WithFilePath(ErrorReport.PathOf(cell));
        return _state is null
            ? CSharpScript.Create<object>(code, options, typeof(SessionGlobals), _references.Loader)
            : _state.Script.ContinueWith<object>(code, options);
    }

    private CellError? Show(MimeBundle bundle)
    {
        bundle.Show();
        return null;
    }

    /// <summary>A wake-up that came too late for this cell must not meet the next.</summary>
    private static void ClearWake()
    {
        try
        {
            Thread.Sleep(Thread.CurrentThread.Name == SessionThread.Name && CellInterrupt.IsRequested ? 1 : 0);
        }
        catch (ThreadInterruptedException)
        {
            // That was it.
        }
    }

    private void Raise(SessionEvent happened)
    {
        lock (_gate)
        {
            _sink?.Invoke(happened);
        }
    }

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

        public void Clear(bool wait) => session.Raise(new OutputsCleared(wait));

        public void Write(string text)
        {
            session.Raise(new TextWritten("stdout", text));
            CellInterrupt.Check();
        }
    }
}
