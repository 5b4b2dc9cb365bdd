using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>A captured call: the graph that stands for all calls for which its guards hold.</summary>
internal sealed class Specialization : IDisposable
{
    private static long _made;

    private readonly IExecutable _executable;
    private readonly Tensor?[] _constants;
    private readonly int[] _fresh;
    private readonly Template _result;
    private readonly int[] _holes;
    private readonly ResultViews?[] _views;
    private readonly int[] _roots;
    private readonly bool _heedsInterruption;
    private readonly bool[] _isDetached;
    private readonly FieldEffect[] _fields;
    private readonly DisposeEffect[] _frees;

    /// <summary>A captured call.</summary>
    /// <param name="guards">When it stands for a call.</param>
    /// <param name="executable">What runs its graph.</param>
    /// <param name="inputs">Where the graph's inputs are read.</param>
    /// <param name="result">What is returned.</param>
    /// <param name="holes">For each tensor of the result and of the effects: the output of the graph that it is, or, counted from -1 downwards, the input.</param>
    /// <param name="views">For each of them, which view it is.</param>
    /// <param name="isDetached">For each of them, whether no scope owns it.</param>
    /// <param name="fields">Fields that get values.</param>
    /// <param name="frees">Tensors that are freed.</param>
    /// <param name="heedsInterruption">Whether the call ends where that is asked for.</param>
    public Specialization(
        GuardSet guards, IExecutable executable, IReadOnlyList<AccessPath> inputs, Template result, int[] holes, ResultViews?[] views, bool[] isDetached, FieldEffect[] fields, DisposeEffect[] frees,
        bool heedsInterruption)
    {
        (Guards, _executable, _result, _holes, _views, _isDetached, _fields, _frees) = (guards, executable, result, holes, views, isDetached, fields, frees);
        (Inputs, _heedsInterruption) = (inputs, heedsInterruption);
        _roots = [.. Enumerable.Range(0, executable.Graph.Outputs.Length).Except(holes.Where((_, i) => views[i] is null))];
        _constants = [.. executable.Graph.Inputs.Select((input, i) => input.Kind == GraphInputKind.Constant ? (Tensor?)inputs[i].Read([]) : null)];
        _fresh = [.. Enumerable.Range(0, inputs.Count).Where(i => inputs[i].IsFresh)];
    }

    /// <summary>Later ones have greater numbers.</summary>
    public long Number { get; } = Interlocked.Increment(ref _made);

    /// <summary>When it ran last, in calls of the module.</summary>
    public long LastUse { get; set; }

    /// <summary>How many calls it served, about.</summary>
    public long Uses { get; set; }

    /// <summary>When it stands for a call.</summary>
    public GuardSet Guards { get; }

    /// <summary>The graph.</summary>
    public Graph Graph => _executable.Graph;

    /// <summary>What runs it.</summary>
    public IExecutable Executable => _executable;

    /// <summary>The kernels that run it, of a forward and a backward pass where it is trained; none where operation follows operation.</summary>
    public IReadOnlyList<Cpu.CpuKernelInfo> Kernels => _executable switch
    {
        CompiledGraph compiled => compiled.Kernels,
        Autograd.TrainingGraph training => training.Kernels,
        _ => [],
    };

    /// <summary>Why it runs operation by operation; none where it is compiled.</summary>
    public IEnumerable<string> WhyInterpreted => (_executable switch
    {
        Autograd.TrainingGraph { Variant: { } variant } => [variant.Forward, variant.Backward],
        _ => (IExecutable[])[_executable],
    }).OfType<CompiledGraph>().Select(graph => graph.WhyInterpreted).OfType<string>();

    /// <summary>Calls that no operator of the captured graph stands for.</summary>
    public IReadOnlyList<string> OpaqueCalls { get; init; } = [];

    /// <summary>Whether graphs that train it have the operations of those calls.</summary>
    public bool OpensCalls => _executable is Autograd.TrainingGraph { Variant: not null };

    /// <summary>Where the graph's inputs are read.</summary>
    public IReadOnlyList<AccessPath> Inputs { get; }

    /// <summary>What is returned.</summary>
    public Template Result => _result;

    /// <summary>For each tensor of the result and of the effects: the output of the graph that it is, or, counted from -1 downwards, the input.</summary>
    public IReadOnlyList<int> Holes => _holes;

    /// <summary>For each of them, which view of that it is; null for none.</summary>
    public IReadOnlyList<ResultViews?> Views => _views;

    /// <summary>The graph with the tensors of the result as outputs, views taken.</summary>
    public Graph ResultGraph => ResultViews.Returned(Graph, _result, _holes, _views);

    /// <summary>Fields that get values.</summary>
    public IReadOnlyList<FieldEffect> Fields => _fields;

    /// <summary>Tensors that are freed.</summary>
    public IReadOnlyList<DisposeEffect> Frees => _frees;

    /// <summary>Whether it ends at a break, after which the call goes on.</summary>
    public bool EndsAtBreak => _result is FramesTemplate;

    /// <summary>Fields that it writes, if those are all that keeps it from standing for a call: numbers that the module counts up, say. Null where something else does.</summary>
    public IEnumerable<System.Reflection.FieldInfo>? OwnChanges(object?[] arguments)
    {
        var fields = Guards.Failing(arguments)?.Select(guard => guard is ValueGuard { Expected: int or long or float or double } ? guard.Path.LastField : null).ToArray();
        return fields is { Length: > 0 } && Array.TrueForAll(fields, field => Array.Exists(_fields, effect => effect.Field == field)) ? fields.OfType<System.Reflection.FieldInfo>() : null;
    }

    /// <summary>
    /// Whether the call that was captured filled fields that were empty (tables, made once) and has not changed anything else that stays: later calls find them filled, and need another graph.
    /// </summary>
    public bool FillsFields(object?[] arguments) => !EndsAtBreak && _frees.Length == 0 && !Graph.Nodes.Any(node => node.Operator.IsMutating)
        && Guards.Failing(arguments) is { Count: > 0 } failing && failing.Any(guard => guard is ValueGuard { Expected: null })
        && failing.All(guard => guard.Path.LastField is { } field && Array.Exists(_fields, effect => effect.Field == field));

    private bool HasEffects => _fields.Length > 0 || _frees.Length > 0 || Graph.Nodes.Any(node => node.Operator.IsMutating);

    /// <summary>Runs a call if it stands for it.</summary>
    /// <param name="arguments">Of the call, or what is alive where it goes on.</param>
    /// <param name="result">What the call returns; where the graph ends at a break, the <see cref="Il.Frame"/>s to go on with.</param>
    /// <param name="call">The call that is split; null where graphs that end at a break do not serve.</param>
    public bool TryRun(object?[] arguments, out object? result, SplitState? call = null)
    {
        result = null;
        if (_result is FramesTemplate frames && !frames.Fits(call))
        {
            return false;
        }

        var inputs = (Tensor[])_constants.Clone();
        var holds = Guards.Holds(arguments, inputs);
        try
        {
            result = holds ? Run(arguments, inputs, call) : null;
            return holds;
        }
        finally
        {
            foreach (var i in _fresh)
            {
                inputs[i]?.Dispose();
            }
        }
    }

    /// <summary>Compiles what waits for the first call to be compiled, if it stands for a call; the call is not made.</summary>
    public bool TryPrepare(object?[] arguments) => TryUse(arguments, inputs => (_executable as Autograd.TrainingGraph)?.Prepare(inputs));

    /// <summary>Measures its kernels if it stands for a call.</summary>
    public bool TryProfile(object?[] arguments, int runs) => TryUse(arguments, inputs =>
    {
        switch (_executable)
        {
            case CompiledGraph { Executable: Cpu.CpuExecutable cpu }:
                cpu.Profile(inputs, runs);
                break;
            case Autograd.TrainingGraph training:
                training.Profile(inputs, runs);
                break;
        }
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        _executable.Dispose();
        foreach (var constant in _constants)
        {
            constant?.Dispose();
        }
    }

    private bool TryUse(object?[] arguments, Action<Tensor[]> use)
    {
        var inputs = (Tensor[])_constants.Clone();
        var holds = Guards.Holds(arguments, inputs);
        try
        {
            if (holds)
            {
                use(inputs);
            }

            return holds;
        }
        finally
        {
            foreach (var i in _fresh)
            {
                inputs[i]?.Dispose();
            }
        }
    }

    private object? Run(object?[] arguments, Tensor[] inputs, SplitState? call)
    {
        if (_heedsInterruption)
        {
            Interruption.ThrowIfRequested();
        }

        var outputs = _executable.Run(inputs);
        var tensors = new Tensor[_holes.Length];
        for (var i = 0; i < tensors.Length; i++)
        {
            var root = _holes[i] >= 0 ? outputs[_holes[i]] : inputs[-1 - _holes[i]];
            tensors[i] = _views[i]?.Take(root) ?? root;
        }

        foreach (var root in _roots)
        {
            outputs[root].Dispose(); // only views of it are given away
        }

        Tensor At(int hole) => tensors[hole];
        for (var i = 0; i < _isDetached.Length; i++)
        {
            if (_isDetached[i])
            {
                At(i).DetachFromDisposeScope();
            }
        }

        foreach (var free in _frees)
        {
            free.Prepare(arguments);
        }

        foreach (var field in _fields)
        {
            field.Apply(arguments, At);
        }

        foreach (var free in _frees)
        {
            free.Apply(arguments, At);
        }

        if (_result is not FramesTemplate frames)
        {
            return _result.Fill(At);
        }

        call!.HasEffects |= HasEffects;
        return frames.Fill(At, arguments, call);
    }
}
