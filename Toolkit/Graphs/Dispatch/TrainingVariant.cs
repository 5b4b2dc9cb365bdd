using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>The compiled graphs for one kind of arguments.</summary>
internal sealed class TrainingVariant : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly IExecutable _forward;
    private readonly IExecutable _backward;
    private readonly string?[] _paths;
    private readonly Tensor?[] _constants;
    private readonly int[] _sources;
    private List<Tensor?> _returned = [];
    private string? _failure;

    /// <summary>Compiles a recording.</summary>
    public TrainingVariant(JointRecording recording, Func<Graph, IExecutable> backEnd, bool recompute)
    {
        Joint = recording.Joint;
        Partition = GraphPartition.Of(Joint, recompute);
        _forward = backEnd(Partition.Forward);
        _backward = backEnd(Partition.Backward);
        _sources = [.. Joint.Sources];
        var others = Joint.Graph.Inputs.Skip(Joint.Arguments).Take(Joint.Others).ToArray();
        _paths = [.. others.Select(input => input.Kind == GraphInputKind.Parameter ? input.Path : null)];
        _constants = [.. others.Select((input, i) => _paths[i] is null ? recording.Others[i].alias().DetachFromDisposeScope() : null)];
    }

    /// <summary>Both passes.</summary>
    public JointGraph Joint { get; }

    /// <summary>The two graphs.</summary>
    public GraphPartition Partition { get; }

    /// <summary>Runs the forward pass; what comes out backpropagates.</summary>
    /// <exception cref="GraphException">An earlier backward pass failed.</exception>
    public IReadOnlyList<Tensor> Call(IReadOnlyList<Tensor> arguments, IReadOnlyList<(string Path, Tensor Tensor)> owned)
    {
        if (Interlocked.Exchange(ref _failure, null) is { } failure)
        {
            throw new GraphException($"the compiled backward pass failed, so its gradients are not numbers: {failure}");
        }

        using var scope = NewDisposeScope();
        Free();
        var call = new TrainingCall(this, Inputs(arguments, owned));
        Tensor[] differentiable = [.. _sources.Distinct().Select(index => call.Inputs[index])];
        var made = TrainingFunction.apply([call, .. differentiable]);
        var results = call.Others.ToArray();
        for (var i = 0; i < Joint.Seeded.Length; i++)
        {
            results[Joint.Seeded[i]] = made[i];
        }

        foreach (var result in results)
        {
            result!.MoveToOuterDisposeScope();
        }

        return results!;
    }

    /// <summary>Forward graph: outputs that backpropagate, others, and what to keep.</summary>
    public (List<Tensor> Differentiable, Tensor?[] Others, List<Tensor> Saved) RunForward(Tensor[] inputs)
    {
        var made = _forward.Run(inputs);
        var others = new Tensor?[Joint.Outputs];
        for (var i = 0; i < others.Length; i++)
        {
            others[i] = Joint.Seeded.Contains(i) ? null : made[i];
        }

        // An output becomes a part of autograd's graph; what is kept for the backward pass must not, or the graph would hold itself.
        List<Tensor> saved = [.. Partition.SavedOutputs.Select(i => i < Joint.Outputs ? made[i].alias() : made[i]), .. Partition.SavedInputs.Select(i => inputs[i])];
        return ([.. Joint.Seeded.Select(i => made[i])], others, saved);
    }

    /// <summary>Backward graph; never throws.</summary>
    /// <param name="call">The forward call.</param>
    /// <param name="saved">What was kept.</param>
    /// <param name="gradients">Of the outputs; those that are not used are none.</param>
    /// <returns>One for each thing that the function was given.</returns>
    public List<Tensor> RunBackward(TrainingCall call, Func<List<Tensor>> saved, List<Tensor> gradients)
    {
        List<Tensor?> result;
        try
        {
            if (is_grad_enabled())
            {
                throw new GraphException("gradients of gradients are not compiled: run the module as it is for them");
            }

            using var scope = NewDisposeScope();
            var seeds = Joint.Seeded.Select((output, i) => gradients[i] is { IsInvalid: false } gradient ? gradient : Zeros(Partition.Forward.Outputs[output].Type));
            var made = _backward.Run([.. seeds, .. saved()]);
            result = [null, .. Ordered(made).Select(tensor => (Tensor?)tensor.DetachFromDisposeScope())];
        }
        catch (Exception problem)
        {
            _failure = problem.Message.Split('\n')[0];
            result = [null, .. _sources.Distinct().Select(index => (Tensor?)NotANumber(call.Inputs[index]))];
        }

        // Native code reads the handles after this has returned: nobody may finalise them until the next call.
        Free();
        _returned = result;
        return result!;
    }

    /// <summary>What differs between the recorded run and the same run of the compiled graphs; null for nothing.</summary>
    public string? Difference(JointRecording recording, IReadOnlyList<(string Path, Tensor Tensor)> owned)
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        using var state = new ModuleState(owned.Where(entry => !entry.Tensor.requires_grad).Select(entry => entry.Tensor));
        try
        {
            var made = _forward.Run(Inputs(recording.Arguments, owned));
            var saved = Partition.SavedOutputs.Select(i => made[i]);
            var inputs = Inputs(recording.Arguments, owned);
            var gradients = _backward.Run([.. recording.Seeds, .. saved, .. Partition.SavedInputs.Select(i => inputs[i])]);
            var i = 0;
            foreach (var (actual, expected) in made.Take(Joint.Outputs).Concat(gradients).Zip(recording.Results))
            {
                var name = i < Joint.Outputs ? $"output {i}" : $"the gradient of {Joint.Graph.Inputs[Joint.Sources[i - Joint.Outputs]].Path}";
                i++;
                if (TensorType.Of(actual) != TensorType.Of(expected))
                {
                    return $"{name} is {TensorType.Of(actual)} and should be {TensorType.Of(expected)}";
                }

                if (Distance(actual, expected) is var distance && !(distance <= Tolerance))
                {
                    return FormattableString.Invariant($"{name} is off by {distance:g2} of its greatest value");
                }
            }

            return null;
        }
        finally
        {
            state.Restore();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _forward.Dispose();
        _backward.Dispose();
        Free();
        foreach (var constant in _constants)
        {
            constant?.Dispose();
        }
    }

    private static double Distance(Tensor actual, Tensor expected)
    {
        var (a, b) = (actual.detach().to(ScalarType.Float64), expected.detach().to(ScalarType.Float64));
        if (a.numel() == 0)
        {
            return 0;
        }

        // Values of fewer bits are compared at their own precision.
        var slack = expected.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? 1e-3 : 1;
        var finite = b.isfinite();
        var greatest = b.where(finite, zeros_like(b)).abs().max().ToDouble();
        var distance = a.sub(b).where(finite, a.ne(b).logical_and(a.isnan().logical_and(b.isnan()).logical_not()).to(ScalarType.Float64)).abs().max().ToDouble();
        return distance / Math.Max(greatest, 1e-6) * slack;
    }

    private static Tensor Zeros(TensorType type) => zeros(type.Shape.ToArray(), type.DType, new Device(type.Device));

    private static Tensor NotANumber(Tensor like) => full_like(like, double.NaN).DetachFromDisposeScope();

    /// <summary>A gradient for each thing that wants one, in the order in which the function was given them.</summary>
    private IEnumerable<Tensor> Ordered(Tensor[] gradients) => _sources.Distinct().Select(source => gradients[Array.IndexOf(_sources, source)]);

    private Tensor[] Inputs(IReadOnlyList<Tensor> arguments, IReadOnlyList<(string Path, Tensor Tensor)> owned)
    {
        var byPath = owned.ToDictionary(entry => entry.Path, entry => entry.Tensor, StringComparer.Ordinal);
        return [.. arguments, .. _paths.Select((path, i) => path is null ? _constants[i]! : byPath[path])];
    }

    private void Free()
    {
        foreach (var tensor in _returned)
        {
            tensor?.Dispose();
        }

        _returned = [];
    }
}

/// <summary>One call of a compiled module, from forward to backward.</summary>
internal sealed class TrainingCall(TrainingVariant variant, Tensor[] inputs)
{
    /// <summary>What runs.</summary>
    public TrainingVariant Variant { get; } = variant;

    /// <summary>What it is given.</summary>
    public Tensor[] Inputs { get; } = inputs;

    /// <summary>The outputs that have no gradients; none at the places of others.</summary>
    public Tensor?[] Others { get; set; } = [];
}

/// <summary>The compiled graphs as autograd sees them.</summary>
internal sealed class TrainingFunction : autograd.MultiTensorFunction<TrainingFunction>
{
    private const string Call = "call";

    /// <inheritdoc/>
    public override string Name => "CompiledTraining";

    /// <inheritdoc/>
    public override List<Tensor> forward(autograd.AutogradContext context, params object[] vars)
    {
        var call = (TrainingCall)vars[0];
        var (outputs, others, saved) = call.Variant.RunForward(call.Inputs);
        call.Others = others;
        context.set_materialize_grads(false);
        context.save_data(Call, call);
        context.save_for_backward(saved);
        return outputs;
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var call = (TrainingCall)context.get_data(Call);
        return call.Variant.RunBackward(call, context.get_saved_variables, gradients);
    }
}
