namespace Toolkit.Graphs.Capture;

/// <content>What became of the calls.</content>
internal sealed partial class CallCache
{
    /// <summary>The graph that was captured last.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    public Specialization Last
    {
        get
        {
            Begin();
            try
            {
                return All.LastOrDefault() ?? throw new InvalidOperationException("there is no graph yet: call the module, or see Explain()");
            }
            finally
            {
                _calls.End();
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
                    Continuations = [.. _splitter.Points.OrderBy(point => point.Graphs.FirstOrDefault()?.Number ?? long.MaxValue).Select(point => $"{point.Origin}: {(point.IsSkipped ? "run as it is" : Quantity.Of(point.Graphs.Count, "graph"))}")],
                    Training = [.. All.Select(entry => entry.Executable).OfType<Autograd.TrainingGraph>().Select(graph => graph.ToString())],
                    Interpreted = _options.Mode == CompileMode.Kernels ? [.. All.SelectMany(entry => entry.WhyInterpreted)] : [],
                    Sizes = _instances,
                    OwnSizes = [.. _ownSizes],
                    LimitedBy = _isLimited ? _options.RecompileLimit : null,
                    SizesLimitedBy = IsChurning ? _options.DynamicSizes : null,
                    Guards = All.Sum(entry => entry.Guards.Guards.Count),
                    CompiledCalls = Interlocked.Read(ref _compiled),
                    CapturedCalls = Interlocked.Read(ref _captured),
                    EagerCalls = Interlocked.Read(ref _eager),
                };
            }
        }
    }

    /// <summary>Measures the kernels of the graph that serves a call with these arguments.</summary>
    /// <exception cref="InvalidOperationException">None does.</exception>
    public void Profile(object?[] arguments, int runs)
    {
        Begin();
        try
        {
            if (!Array.Exists(_graphs, entry => entry.TryProfile(arguments, runs)))
            {
                throw new InvalidOperationException("no graph serves a call with these arguments: call the module with them first, see Explain()");
            }
        }
        finally
        {
            _calls.End();
        }
    }

    /// <summary>All graphs, in the order in which they were captured.</summary>
    private IEnumerable<Specialization> All => _graphs.Concat(_splitter.Points.SelectMany(point => point.Graphs)).OrderBy(entry => entry.Number);
}
