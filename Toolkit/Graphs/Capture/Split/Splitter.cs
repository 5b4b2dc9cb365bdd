using System.Collections.Concurrent;
using System.Reflection;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// Calls of a module that no single graph holds. A graph runs up to a break; the interpreter goes on with the calls as they stood, executes the break and what the program does with it,
/// and at the next operation on tensors looks for a graph that begins there, or captures one.
/// </summary>
internal sealed class Splitter(nn.Module module, MethodInfo method, CompileOptions options, Lock gate) : IDisposable
{
    private const int MostSkipped = 16;
    private readonly ConcurrentDictionary<PointKey, ResumePoint> _points = [];
    private readonly ConcurrentBag<Walker> _walkers = [];
    private readonly HashSet<(MethodCode Code, SlotKind Kind, int Index)> _changing = [];
    private volatile HashSet<FieldInfo> _changingFields = []; // calls on other threads look at it
    private readonly List<GraphBreak> _breaks = [];
    private readonly List<string> _opaque = [];
    private readonly List<string> _recompiles = [];

    /// <summary>Fields that the module gives another number in each call.</summary>
    public IReadOnlySet<FieldInfo> ChangingFields => _changingFields;

    /// <summary>Where calls go on.</summary>
    public IEnumerable<ResumePoint> Points => _points.Values;

    /// <summary>Breaks at which calls are split.</summary>
    public IReadOnlyList<GraphBreak> Breaks => _breaks;

    /// <summary>Calls that no operator stands for.</summary>
    public IReadOnlyList<string> OpaqueCalls => _opaque;

    /// <summary>Why further graphs were captured.</summary>
    public IReadOnlyList<string> Recompiles => _recompiles;

    /// <summary>Goes on with a call after a graph that ended at a break.</summary>
    /// <returns>What the call returns.</returns>
    public object? Continue(Frame[] frames, SplitState call)
    {
        var walker = _walkers.TryTake(out var free) ? free : new Walker();
        try
        {
            var interpreter = walker.Begin(call);
            while (true)
            {
                var result = walker.Run(frames);
                if (interpreter.TakeSuspended() is not { } stopped)
                {
                    return result;
                }

                if (Serve(stopped, call, out result))
                {
                    return result;
                }

                frames = result as Frame[] ?? stopped;
            }
        }
        catch (InterpreterException limit)
        {
            call.Stop(limit.Message);
            return call.HasEffects
                ? throw call.Lose($"{limit.Message}{At(limit)}", limit)
                : CaptureRun.Eager(method, module, call.Arguments);
        }
        finally
        {
            walker.End();
            _walkers.Add(walker);
        }
    }

    private static string At(InterpreterException limit) => limit.Position is var (at, offset)
        ? SourceMap.Find(at, offset) is var (file, line) ? $" ({file}:{line})" : $" (in {MemberNames.Of(at)})"
        : "";

    /// <summary>Takes note of fields that the module gives another number in each call.</summary>
    public void Learn(IEnumerable<FieldInfo> fields) => _changingFields = [.. _changingFields, .. fields];

    /// <summary>Notes a break.</summary>
    public void Note(GraphBreak? graphBreak)
    {
        if (graphBreak is not null && graphBreak.Reason is not (Tracer.ScopeEnds or Tracer.NumberIsUsed) && !_breaks.Contains(graphBreak))
        {
            _breaks.Add(graphBreak);
        }
    }

    /// <summary>A call is over.</summary>
    public void Forget(SplitState call)
    {
        foreach (var point in _points.Values)
        {
            point.Forget(call);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var point in _points.Values)
        {
            point.Dispose();
        }

        _points.Clear();
    }

    /// <summary>Goes on at an operation on tensors.</summary>
    /// <param name="frames">The calls, which stand before it.</param>
    /// <param name="call">The call.</param>
    /// <param name="result">What the call returns, or the calls at the next break; null where the operation is to be run as it is.</param>
    /// <returns>Whether the call is done.</returns>
    private bool Serve(Frame[] frames, SplitState call, out object? result)
    {
        Interruption.ThrowIfRequested();
        result = null;
        var key = PointKey.Of(frames);
        if (!_points.TryGetValue(key, out var point))
        {
            point = _points.GetOrAdd(key, new ResumePoint(LiveLayout.Of(frames), OriginOf(frames)));
        }

        if (point.IsSkipped)
        {
            return false;
        }

        if (Array.Exists(frames, PointKey.IsHandling) || point.Layout.Read(frames, call) is not { } live)
        {
            Skip(point, call);
            return false;
        }

        if (point.TryRun(live, call, out result, out var isEnd))
        {
            return isEnd;
        }

        lock (gate)
        {
            return Capture(point, frames, live, call, out result);
        }
    }

    private bool Capture(ResumePoint point, Frame[] frames, object?[] live, SplitState call, out object? result)
    {
        result = null;
        if (point.Graphs.Select(graph => graph.OwnChanges(live)).FirstOrDefault(fields => fields is not null) is { } fields)
        {
            Learn(fields);
            point.Clear();
        }

        if (point.NumbersInTheWay(live) is { } numbers)
        {
            var slots = numbers.Select(guard => guard.Path.Direct is { } place ? point.Layout.Slots[place] : new(0, SlotKind.Stack, 0)).ToArray();
            if (Array.Exists(slots, slot => slot.Kind == SlotKind.Stack))
            {
                Skip(point, call); // the operation itself uses it
                return false;
            }

            _changing.UnionWith(slots.Select(slot => (frames[slot.Frame].Code, slot.Kind, slot.Index)));
            point.Clear();
        }

        if (!point.MayGrow(call, options.RecompileLimit))
        {
            call.Stop($"{point.Origin}: {point.Graphs.Count} graphs begin here already, and none fits: {point.Graphs[^1].Guards.Failure(live)} does not hold");
            return false;
        }

        if (point.Graphs.Count > 0 && !point.IsLoop(call) && point.Graphs[^1].Guards.Failure(live) is { } failure)
        {
            _recompiles.Add(failure);
        }

        call.IsCaptured = true;
        var run = new CaptureRun(module, method, options, call);
        result = run.Continue(frames, point.Layout, live, _changing);
        _opaque.AddRange(run.Specialization is null ? run.OpaqueCalls : []);
        Note(run.Break);
        if (run.Specialization is { } made)
        {
            point.Add(made, call);
        }
        else if (run is { IsSuspended: true, IsEmpty: true })
        {
            Skip(point, call); // the operation at which it would begin is itself a break
        }

        return !run.IsSuspended;
    }

    private void Skip(ResumePoint point, SplitState call)
    {
        point.IsSkipped = true;
        if (_points.Values.Count(other => other.IsSkipped) > MostSkipped)
        {
            call.Stop($"{point.Origin}: too many operations cannot begin a graph, because numbers that tensors gave are used after it");
        }
    }

    private static Origin OriginOf(Frame[] frames)
    {
        var frame = Array.FindLast(frames, frame => frame.Code.Method.Module.Assembly != TorchSharpApi.Assembly) ?? frames[^1];
        var place = SourceMap.Find(frame.Code.Method, frame.Code.Instructions[frame.Place].Offset);
        return new("", MemberNames.Of(frame.Code.Method), place?.File, place?.Line ?? 0);
    }
}
