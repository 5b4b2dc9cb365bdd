using System.Reflection;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>The graphs of a module: a call is served by the first whose guards hold, and captured where there is none.</summary>
internal sealed partial class CallCache : IDisposable
{
    private readonly nn.Module _module;
    private readonly MethodInfo _method;
    private readonly CompileOptions _options;
    private readonly Lock _lock = new();
    private readonly List<string> _recompiles = [];
    private readonly List<string> _opaque = [];
    private readonly List<Specialization> _dropped = [];
    private readonly Splitter _splitter;
    private Specialization[] _graphs = [];
    private (GuardSet Guards, GraphBreak Break)[] _breaks = [];
    private readonly Dictionary<Specialization, Specialization> _sizes = new(ReferenceEqualityComparer.Instance); // the first graph of those that differ in sizes only
    private readonly List<(Specialization Captured, Specialization First, SizeFamily Family)> _families = [];
    private readonly List<string> _ownSizes = [];
    private long _instances;
    private long _clock;
    private long _compiled;
    private long _captured;
    private long _eager;

    /// <summary>For calls of a module.</summary>
    /// <param name="module">The module.</param>
    /// <param name="method">The method that is called.</param>
    /// <param name="options">How it is compiled.</param>
    public CallCache(nn.Module module, MethodInfo method, CompileOptions options)
    {
        (_module, _method, _options) = (module, method, options.Dynamic.IsDefaultOrEmpty ? options : options with { Cpu = (options.Cpu ?? new()) with { Forms = new() } });
        _splitter = new Splitter(module, method, _options, _lock);
        if (options.Backend is null)
        {
            Cpu.CpuBackend.WarmUpFor(module.GetType().AssemblyQualifiedName!, options.Cpu ?? new());
        }
    }

    /// <summary>The graph that was captured last.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    public Specialization Last => _splitter.Points.SelectMany(point => point.Graphs).LastOrDefault() ?? _graphs.LastOrDefault()
        ?? throw new InvalidOperationException("there is no graph yet: call the module, or see Explain()");

    /// <summary>Saves the captured calls.</summary>
    /// <exception cref="CompiledArtifactException">There are none, or they cannot be saved.</exception>
    public void Save(string path, ArtifactOptions? options)
    {
        lock (_lock)
        {
            RequireWhole();
            ArtifactSaver.Save(path, _module, _graphs, _options.Cpu is null ? null : _options.Cpu with { Forms = null }, options ?? new());
        }
    }

    /// <summary>Writes the graph that was captured last as an ONNX model.</summary>
    public void ExportOnnx(string path)
    {
        lock (_lock)
        {
            RequireWhole();
            var choice = ArtifactChoice.Of(_module, _graphs)[^1];
            var inputs = choice.Captured.Inputs;
            var fresh = new List<Tensor>();
            try
            {
                OnnxExporter.Export(choice.Captured.ResultGraph, path, Weight, i => choice.Arguments[choice.PlaceOf(inputs[i])].Name, i => choice.PlaceOf(inputs[i]));
            }
            finally
            {
                fresh.ForEach(tensor => tensor.Dispose());
            }

            Tensor? Weight(int i)
            {
                var tensor = inputs[i].IsArgument ? null : (Tensor?)inputs[i].Read([]);
                if (tensor is not null && inputs[i].IsFresh)
                {
                    fresh.Add(tensor);
                }

                return tensor;
            }
        }
    }

    /// <summary>What became of it so far.</summary>
    public CompileReport Report
    {
        get
        {
            lock (_lock)
            {
                return new()
                {
                    Graphs = [.. All.Select(entry => entry.Graph)],
                    Breaks = [.. _breaks.Select(entry => entry.Break).Concat(_splitter.Breaks).Distinct()],
                    OpaqueCalls = [.. _opaque, .. _splitter.OpaqueCalls, .. All.Where(entry => !entry.OpensCalls).SelectMany(entry => entry.OpaqueCalls)],
                    OpenedCalls = [.. All.Where(entry => entry.OpensCalls).SelectMany(entry => entry.OpaqueCalls)],
                    Recompiles = [.. _recompiles, .. _splitter.Recompiles],
                    Continuations = [.. _splitter.Points.Select(point => $"{point.Origin}: {(point.IsSkipped ? "run as it is" : $"{point.Graphs.Count} graphs")}")],
                    Training = [.. All.Select(entry => entry.Executable).OfType<Dispatch.TrainingGraph>().Select(graph => graph.ToString())],
                    Sizes = _instances,
                    OwnSizes = [.. _ownSizes],
                    Guards = All.Sum(entry => entry.Guards.Guards.Count),
                    CompiledCalls = Interlocked.Read(ref _compiled),
                    CapturedCalls = Interlocked.Read(ref _captured),
                    EagerCalls = Interlocked.Read(ref _eager),
                };
            }
        }
    }

    /// <summary>Calls the module.</summary>
    /// <exception cref="OperationCanceledException">The host asks for an end.</exception>
    public object? Call(object?[] arguments)
    {
        Interruption.ThrowIfRequested(); // loops of the module, which asked, are unrolled
        SplitState? call = null;
        var graphs = _graphs;
        if (TryRun(graphs, arguments, ref call, out var result))
        {
            return result;
        }

        CaptureRun? run = null;
        object? first = null;
        lock (_lock)
        {
            // Another thread may have captured what this one waited to capture.
            if (_graphs != graphs && TryRun(_graphs.Except(graphs), arguments, ref call, out result))
            {
                return result;
            }

            if (TryInstance(arguments) is { } instance)
            {
                return TryRun([instance], arguments, ref call, out result) ? result : throw new InvalidOperationException("a graph that was made for a call does not stand for it");
            }

            var sized = _options.Dynamic.IsDefaultOrEmpty ? null : Array.Find(_graphs, entry => entry.Guards.DiffersOnlyIn(_options.Dynamic, arguments));
            if ((sized is not null || _graphs.Length - _sizes.Count + _breaks.Length < _options.RecompileLimit) && !Array.Exists(_breaks, entry => entry.Guards.Holds(arguments, [])))
            {
                call = new SplitState(arguments, _splitter.ChangingFields) { IsCaptured = true };
                run = new CaptureRun(_module, _method, _options, call);
                first = Capture(run, arguments, sized is null ? null : _sizes.GetValueOrDefault(sized, sized));
            }
        }

        if (run is not null)
        {
            return run.IsSuspended ? Continue((Frame[])first!, call!, run.Specialization) : first;
        }

        Interlocked.Increment(ref _eager);
        return CaptureRun.Eager(_method, _module, arguments);
    }

    /// <summary>Measures the kernels of the graph that serves a call with these arguments.</summary>
    /// <exception cref="InvalidOperationException">None does.</exception>
    public void Profile(object?[] arguments, int runs)
    {
        if (!Array.Exists(_graphs, entry => entry.TryProfile(arguments, runs)))
        {
            throw new InvalidOperationException("no graph serves a call with these arguments: call the module with them first, see Explain()");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var entry in _graphs.Concat(_dropped))
        {
            entry.Dispose();
        }

        _splitter.Dispose();
        _graphs = [];
    }

    /// <summary>Sizes that were not used for long are dropped; what they hold goes when the last call that runs them ends.</summary>
    private void Keep(Specialization made, Specialization first)
    {
        _sizes.Add(made, first);
        var all = _sizes.Where(entry => entry.Value == first).Select(entry => entry.Key).ToArray();
        if (all.Length >= _options.DynamicSizes && all.Except([made]).MinBy(entry => entry.LastUse) is { } oldest)
        {
            _sizes.Remove(oldest);
            _graphs = [.. _graphs.Where(entry => entry != oldest)];
        }
    }

    /// <summary>What stands for a call of which only sizes are new; null where it has to be captured.</summary>
    private Specialization? TryInstance(object?[] arguments)
    {
        foreach (var (captured, first, family) in _families)
        {
            if (captured.Guards.DiffersOnlyIn(family.Dimensions, arguments) && family.TryMake(arguments) is { } made)
            {
                _graphs = [.. _graphs, made];
                _instances++;
                made.LastUse = Interlocked.Increment(ref _clock);
                Keep(made, first);
                return made;
            }
        }

        return null;
    }

    private bool TryRun(IEnumerable<Specialization> graphs, object?[] arguments, ref SplitState? call, out object? result)
    {
        foreach (var entry in graphs)
        {
            call ??= entry.EndsAtBreak ? new SplitState(arguments, _splitter.ChangingFields) : null;
            if (entry.TryRun(arguments, out result, call))
            {
                entry.LastUse = Interlocked.Increment(ref _clock);
                result = entry.EndsAtBreak ? Continue((Frame[])result!, call!, entry) : Served(result);
                return true;
            }
        }

        result = null;
        return false;
    }

    /// <summary>What ends early has no graph that could be written.</summary>
    private void RequireWhole()
    {
        if (_graphs.Length == 0 && _breaks.Length > 0)
        {
            throw new CompiledArtifactException($"the module cannot be captured whole: {_breaks[^1].Break}");
        }
    }

    private IEnumerable<Specialization> All => _graphs.Concat(_splitter.Points.SelectMany(point => point.Graphs));

    private object? Served(object? result)
    {
        Interlocked.Increment(ref _compiled);
        return result;
    }

    /// <summary>Goes on after a graph that ended at a break.</summary>
    private object? Continue(Frame[] frames, SplitState call, Specialization? prefix)
    {
        try
        {
            return _splitter.Continue(frames, call);
        }
        finally
        {
            if (call.IsCaptured)
            {
                Interlocked.Increment(ref _captured);
                _splitter.Forget(call);
            }
            else
            {
                Interlocked.Increment(ref call.Obstacle is null ? ref _compiled : ref _eager);
            }

            if (call.Obstacle is { } obstacle && prefix is not null)
            {
                GiveUp(prefix, obstacle);
            }
        }
    }

    /// <summary>Calls that a graph stands for the beginning of run as they are from now on: what comes after it cannot be split.</summary>
    private void GiveUp(Specialization prefix, string obstacle)
    {
        lock (_lock)
        {
            if (_graphs.Contains(prefix))
            {
                _graphs = [.. _graphs.Where(entry => entry != prefix)];
                _dropped.Add(prefix); // another thread may be running it
                _breaks = [.. _breaks, (prefix.Guards.WithoutInputs(), new GraphBreak($"such calls run as they are: {obstacle}", "keep what forward makes inside of it, and tensors where values are read", Origin.None))];
            }
        }
    }

    /// <summary>Graphs that only a number is in the way of which they themselves change would never serve again.</summary>
    private void Learn(object?[] arguments)
    {
        foreach (var entry in _graphs)
        {
            if (entry.OwnChanges(arguments) is { } fields)
            {
                _splitter.ChangingFields.UnionWith(fields);
                _graphs = [.. _graphs.Where(other => other != entry)];
                _dropped.Add(entry); // another thread may be running it
            }
        }
    }

    private object? Capture(CaptureRun run, object?[] arguments, Specialization? first)
    {
        Learn(arguments);

        // The call may change what the guards look at.
        var why = _graphs.Length > 0 ? _graphs[^1].Guards.Failure(arguments) ?? "another graph is needed" : null;
        var result = run.Call(arguments);
        if (why is not null)
        {
            _recompiles.Add(first is null ? why : $"{why} (another size of a dynamic dimension)");
        }

        _opaque.AddRange(run.Specialization is null ? run.OpaqueCalls : []);
        if (run.Specialization is { } made)
        {
            _graphs = [.. _graphs, made];
            made.LastUse = Interlocked.Increment(ref _clock);
            if (run.WhyNoFamily is { } whyNot)
            {
                _ownSizes.Add(whyNot);
            }

            if (run.Family is { } family)
            {
                _families.Add((made, first ?? made, family));
                if (_families.Count > _options.DynamicSizes)
                {
                    _families.RemoveAt(0);
                }
            }

            if (first is not null)
            {
                Keep(made, first);
            }

            _splitter.Note(run.Break);
            Cpu.CpuBackend.Remember(_module.GetType().AssemblyQualifiedName!, _options.Cpu ?? new());
        }
        else if (run.BreakGuards is { } guards)
        {
            _breaks = [.. _breaks, (guards, run.Break!)];
        }

        if (!run.IsSuspended)
        {
            _captured++;
        }

        return result;
    }
}
