using System.Reflection;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>The graphs of a module: a call is served by the first whose guards hold, and captured where there is none.</summary>
internal sealed class CallCache : IDisposable
{
    private readonly nn.Module _module;
    private readonly MethodInfo _method;
    private readonly CompileOptions _options;
    private readonly Lock _lock = new();
    private readonly List<string> _recompiles = [];
    private readonly List<string> _opaque = [];
    private Specialization[] _graphs = [];
    private (GuardSet Guards, GraphBreak Break)[] _breaks = [];
    private readonly Dictionary<Specialization, Specialization> _sizes = new(ReferenceEqualityComparer.Instance); // the first graph of those that differ in sizes only
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
        (_module, _method, _options) = (module, method, options);
        if (options.Backend is null)
        {
            Cpu.CpuBackend.WarmUpFor(module.GetType().AssemblyQualifiedName!, options.Cpu ?? new());
        }
    }

    /// <summary>The graph that was captured last; null before there is one.</summary>
    public Specialization? Last => _graphs.LastOrDefault();

    /// <summary>Saves the captured calls.</summary>
    /// <exception cref="CompiledArtifactException">There are none, or they cannot be saved.</exception>
    public void Save(string path, ArtifactOptions? options)
    {
        lock (_lock)
        {
            RequireWhole();
            ArtifactSaver.Save(path, _module, _graphs, _options.Cpu, options ?? new());
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
                OnnxExporter.Export(choice.Captured.ResultGraph, path, Weight, i => choice.Arguments[choice.PlaceOf(inputs[i])].Name);
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
                    Graphs = [.. _graphs.Select(entry => entry.Graph)],
                    Breaks = [.. _breaks.Select(entry => entry.Break)],
                    OpaqueCalls = [.. _opaque],
                    Recompiles = [.. _recompiles],
                    Training = [.. _graphs.Select(entry => entry.Executable).OfType<Dispatch.TrainingGraph>().Select(graph => graph.ToString())],
                    Guards = _graphs.Sum(entry => entry.Guards.Guards.Count),
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
        var graphs = _graphs;
        if (TryRun(graphs, arguments, out var result))
        {
            return result;
        }

        lock (_lock)
        {
            // Another thread may have captured what this one waited to capture.
            if (_graphs != graphs && TryRun(_graphs.Except(graphs), arguments, out result))
            {
                return result;
            }

            var first = _options.Dynamic.IsDefaultOrEmpty ? null : Array.Find(_graphs, entry => entry.Guards.DiffersOnlyIn(_options.Dynamic, arguments));
            if ((first is not null || _graphs.Length - _sizes.Count + _breaks.Length < _options.RecompileLimit) && !Array.Exists(_breaks, entry => entry.Guards.Holds(arguments, [])))
            {
                return Capture(arguments, first is null ? null : _sizes.GetValueOrDefault(first, first));
            }
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
        foreach (var entry in _graphs)
        {
            entry.Dispose();
        }

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

    private bool TryRun(IEnumerable<Specialization> graphs, object?[] arguments, out object? result)
    {
        foreach (var entry in graphs)
        {
            if (entry.TryRun(arguments, out result))
            {
                Interlocked.Increment(ref _compiled);
                entry.LastUse = Interlocked.Increment(ref _clock);
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

    private object? Capture(object?[] arguments, Specialization? first)
    {
        // The call may change what the guards look at.
        var why = _graphs.Length > 0 ? _graphs[^1].Guards.Failure(arguments) ?? "another graph is needed" : null;
        var run = new CaptureRun(_module, _method, _options);
        var result = run.Call(arguments);
        if (why is not null)
        {
            _recompiles.Add(first is null ? why : $"{why} (another size of a dynamic dimension)");
        }

        _captured++;
        _opaque.AddRange(run.OpaqueCalls);
        if (run.Specialization is { } made)
        {
            _graphs = [.. _graphs, made];
            made.LastUse = Interlocked.Increment(ref _clock);
            if (first is not null)
            {
                Keep(made, first);
            }

            Cpu.CpuBackend.Remember(_module.GetType().AssemblyQualifiedName!, _options.Cpu ?? new());
        }
        else if (run.BreakGuards is { } guards)
        {
            _breaks = [.. _breaks, (guards, run.Break!)];
        }

        return result;
    }
}
