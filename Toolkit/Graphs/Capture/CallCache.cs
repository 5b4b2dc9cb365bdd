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
    private bool _isLimited;
    private bool _isStopped;
    private readonly CallsUnderWay _calls;
    private long _clock;
    private long _compiled;
    private long _captured;
    private long _eager;

    /// <summary>For calls of a module.</summary>
    /// <param name="module">The module.</param>
    /// <param name="method">The method that is called.</param>
    /// <param name="options">How it is compiled.</param>
    /// <exception cref="ArgumentOutOfRangeException">A dynamic dimension is of no argument.</exception>
    public CallCache(nn.Module module, MethodInfo method, CompileOptions options)
    {
        var count = method.GetParameters().Length;
        if (!options.Dynamic.IsDefaultOrEmpty && options.Dynamic.FirstOrDefault(dimension => dimension.Argument < 0 || dimension.Argument >= count, new(0, 0)) is { Argument: not 0 } outside)
        {
            throw new ArgumentOutOfRangeException(nameof(options), $"{outside}: {module.GetType().Name} takes {Quantity.Of(count, "argument")}, numbered from 0");
        }

        if (!Enum.IsDefined(options.Mode))
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.Mode, $"there is no {nameof(CompileMode)} of that number");
        }

        (_module, _method, _options) = (module, method, options.Dynamic.IsDefaultOrEmpty ? options : options with { Cpu = (options.Cpu ?? new()) with { Forms = new() } });
        _splitter = new Splitter(module, method, _options, _lock);
        _calls = new CallsUnderWay(Free);
        if (options.Backend is null)
        {
            Cpu.CpuBackend.WarmUpFor(module.GetType(), module, options.Cpu ?? new());
        }
    }

    /// <summary>Calls the module.</summary>
    /// <exception cref="OperationCanceledException">The host asks for an end.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed of.</exception>
    public object? Call(object?[] arguments)
    {
        Begin();
        try
        {
            return Serve(arguments);
        }
        finally
        {
            _calls.End();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _calls.Close();

    private object? Serve(object?[] arguments)
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
            var isRefused = _isStopped || Array.Exists(_breaks, entry => entry.Guards.Holds(arguments, []));
            var isTooMany = sized is null && _graphs.Length - _sizes.Count + _breaks.Length >= _options.RecompileLimit;
            _isLimited |= isTooMany && !isRefused;
            if (!isTooMany && !isRefused && (sized is null || !IsChurning))
            {
                call = new SplitState(arguments, _splitter) { IsCaptured = true };
                run = new CaptureRun(_module, _method, _options, call);
                first = Capture(run, call, arguments, sized is null ? null : _sizes.GetValueOrDefault(sized, sized));
            }
        }

        if (run is not null)
        {
            return run.IsSuspended ? Continue((Frame[])first!, call!, run.Specialization) : first;
        }

        Interlocked.Increment(ref _eager);
        return CaptureRun.Eager(_method, _module, arguments);
    }

    private void Begin()
    {
        if (!_calls.TryBegin())
        {
            throw new ObjectDisposedException($"compiled {_module.GetType().Name}");
        }
    }

    private void Free()
    {
        foreach (var entry in _graphs.Concat(_dropped))
        {
            entry.Dispose();
        }

        _splitter.Dispose();
        _graphs = [];
    }

    private bool TryRun(IEnumerable<Specialization> graphs, object?[] arguments, ref SplitState? call, out object? result)
    {
        foreach (var entry in graphs)
        {
            call ??= entry.EndsAtBreak ? new SplitState(arguments, _splitter) : null;
            if (entry.TryRun(arguments, out result, call))
            {
                entry.LastUse = Interlocked.Increment(ref _clock);
                entry.Uses++;
                result = entry.EndsAtBreak ? Continue((Frame[])result!, call!, entry) : Served(result);
                return true;
            }
        }

        result = null;
        return false;
    }

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

            if (call.Loss is { } loss)
            {
                Stop(loss);
            }
            else if (call.Obstacle is { } obstacle && prefix is not null)
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

    /// <summary>A call was lost: none is captured any more, whatever it finds.</summary>
    private void Stop(string reason)
    {
        lock (_lock)
        {
            _isStopped = true;
            _dropped.AddRange(_graphs); // another thread may be running them
            _graphs = [];
            _breaks = [.. _breaks, (new GuardSet([], [], is_grad_enabled()), new GraphBreak($"all calls run as they are: {reason}", "leave that out of forward", Origin.None))];
        }
    }

    /// <summary>Graphs that only a number is in the way of which they themselves change would never serve again.</summary>
    private void Learn(object?[] arguments)
    {
        foreach (var entry in _graphs)
        {
            if (entry.OwnChanges(arguments) is { } fields)
            {
                _splitter.Learn(fields);
                _graphs = [.. _graphs.Where(other => other != entry)];
                _dropped.Add(entry); // another thread may be running it
            }
        }
    }

    private object? Capture(CaptureRun run, SplitState call, object?[] arguments, Specialization? first)
    {
        Learn(arguments);

        // The call may change what the guards look at.
        var why = _graphs.Length > 0 ? _graphs[^1].Guards.Failure(arguments) ?? "another graph is needed" : null;
        object? result;
        try
        {
            result = run.Call(arguments);
        }
        catch (InvalidOperationException) when (call.Loss is not null)
        {
            Stop(call.Loss!);
            throw;
        }

        if (why is not null)
        {
            _recompiles.Add(first is null ? why : $"{why} (another size of a dynamic dimension)");
        }

        _opaque.AddRange(run.Specialization is null ? run.OpaqueCalls : []);
        if (run.Specialization is { } made)
        {
            _graphs = [.. _graphs, made];
            made.LastUse = Interlocked.Increment(ref _clock);
            NoteSizes(run, made, first);
            _splitter.Note(run.Break);
            Cpu.CpuBackend.Remember(_module, _options.Cpu ?? new());
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
