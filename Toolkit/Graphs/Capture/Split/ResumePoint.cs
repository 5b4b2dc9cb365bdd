using Toolkit.Graphs.Il;

namespace Toolkit.Graphs.Capture;

/// <summary>A place where split calls go on with an operation on tensors, and the graphs that begin there.</summary>
internal sealed class ResumePoint(LiveLayout layout, Origin origin) : IDisposable
{
    private const int FewCalls = 1;
    private readonly List<Specialization> _dropped = [];
    private Specialization[] _graphs = [];
    private SplitState? _last;
    private int _calls;
    private long _served;

    /// <summary>What is alive there.</summary>
    public LiveLayout Layout => layout;

    /// <summary>Where it is.</summary>
    public Origin Origin => origin;

    /// <summary>The graphs.</summary>
    public IReadOnlyList<Specialization> Graphs => _graphs;

    /// <summary>Whether the operation is run as it is, and a graph looked for at the next one: a number that another call has otherwise is alive here.</summary>
    public bool IsSkipped { get; set; }

    /// <summary>Runs a graph if one fits.</summary>
    public bool TryRun(object?[] live, SplitState call, out object? result, out bool isEnd)
    {
        foreach (var graph in _graphs)
        {
            if (graph.TryRun(live, out result, call))
            {
                Interlocked.Increment(ref _served);
                isEnd = !graph.EndsAtBreak;
                return true;
            }
        }

        (result, isEnd) = (null, false);
        return false;
    }

    /// <summary>Whether another graph may be captured for a call. Several in one call are the rounds of a loop, and are all wanted.</summary>
    public bool MayGrow(SplitState call, int limit) => _graphs.Length < 8 * limit && (ReferenceEquals(_last, call) || _calls < limit);

    /// <summary>Whether a graph that begins here was captured in a call already.</summary>
    public bool IsLoop(SplitState call) => ReferenceEquals(_last, call);

    /// <summary>Adds a graph that was captured in a call.</summary>
    public void Add(Specialization graph, SplitState call)
    {
        _calls += ReferenceEquals(_last, call) ? 0 : 1;
        _last = call;
        _graphs = [.. _graphs, graph];
    }

    /// <summary>No call is remembered longer than it lasts.</summary>
    public void Forget(SplitState call) => _last = ReferenceEquals(_last, call) ? null : _last;

    /// <summary>Numbers, if only such are in the way of a graph that is there: those that a tensor gave, say, and that are others each time. Null where something else is.</summary>
    public IReadOnlyList<Guard>? NumbersInTheWay(object?[] live) => _graphs.Select(graph => graph.Guards.Failing(live))
        .FirstOrDefault(failing => failing is { Count: > 0 } && failing.All(guard => IsReal(guard) || (IsInteger(guard) && HasOnlyNew)));

    /// <summary>Begins anew, without its graphs.</summary>
    public void Clear()
    {
        _dropped.AddRange(_graphs); // another thread may be running one
        (_graphs, _calls, _last) = ([], 0, null);
    }

    /// <inheritdoc/>
    public void Dispose() => _dropped.Concat(_graphs).ToList().ForEach(graph => graph.Dispose());

    private bool HasOnlyNew => _calls > FewCalls && Interlocked.Read(ref _served) < _graphs.Length;

    private static bool IsReal(Guard guard) => guard is ScalarGuard { Expected: double } or ValueGuard { Expected: float or double };

    private static bool IsInteger(Guard guard) => guard is ScalarGuard or ValueGuard { Expected: int or long };
}
