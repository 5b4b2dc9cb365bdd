using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>A forward and a backward graph, compiled, that autograd sees as one function.</summary>
internal sealed partial class TrainingVariant : IDisposable
{
    private readonly IExecutable _forward;
    private readonly IExecutable _backward;
    private readonly int[] _held;
    private readonly Tensor?[] _constants;
    private readonly int[] _sources;
    private readonly SeedPaths _paths;
    private readonly HigherGradients _higher;
    private readonly bool[] _isSeeded;

    /// <summary>Compiles a recording.</summary>
    /// <param name="recording">The recording.</param>
    /// <param name="held">Paths of what modules hold, in the order in which calls give it.</param>
    /// <param name="backEnd">Makes graphs ready to run.</param>
    /// <exception cref="GraphException">The joint graph cannot be cut in two.</exception>
    public TrainingVariant(JointRecording recording, IReadOnlyList<string> held, Func<Graph, IExecutable> backEnd)
    {
        Joint = recording.Joint;
        Partition = GraphPartition.Of(Joint);
        _forward = backEnd(Partition.Forward);
        _backward = backEnd(Partition.Backward);
        _sources = [.. Joint.Sources.Distinct()];
        _paths = new(Partition.Backward, Joint.Seeded.Length);
        _isSeeded = [.. Enumerable.Range(0, Joint.Outputs).Select(i => Joint.Seeded.Contains(i))];
        var others = Joint.Graph.Inputs.Skip(Joint.Arguments).Take(Joint.Others).ToArray();
        _held = [.. others.Select(input => input.Kind == GraphInputKind.Parameter ? held.ToList().IndexOf(input.Path) : -1)];
        _constants = [.. others.Select((input, i) => _held[i] < 0 ? recording.Others[i].alias().DetachFromDisposeScope() : null)];
        _higher = new(Joint, Partition, input => input >= Joint.Arguments && _held[input - Joint.Arguments] < 0);
    }

    /// <summary>Both passes.</summary>
    public JointGraph Joint { get; }

    /// <summary>The two graphs.</summary>
    public GraphPartition Partition { get; }

    /// <summary>What runs the forward graph.</summary>
    public IExecutable Forward => _forward;

    /// <summary>What runs the backward graph.</summary>
    public IExecutable Backward => _backward;

    /// <summary>Runs the forward pass; what comes out backpropagates.</summary>
    /// <param name="arguments">Inputs of the captured graph.</param>
    /// <param name="held">What modules hold.</param>
    public Tensor[] Call(ReadOnlySpan<Tensor> arguments, IReadOnlyList<Tensor> held)
    {
        using var scope = NewDisposeScope();
        Free();
        var call = new TrainingCall(this, Inputs(arguments, held));
        var given = new object[_sources.Length + 1];
        given[0] = call;
        for (var i = 0; i < _sources.Length; i++)
        {
            given[i + 1] = call.Inputs[_sources[i]];
        }

        var made = TrainingFunction.apply(given);
        call.Inputs = [];
        var results = new Tensor[Joint.Outputs];
        call.Others.CopyTo(results, 0);
        for (var i = 0; i < Joint.Seeded.Length; i++)
        {
            results[Joint.Seeded[i]] = made[i];
        }

        call.Others = [];
        foreach (var result in results)
        {
            result.MoveToOuterDisposeScope();
        }

        return results;
    }

    /// <summary>Forward graph: outputs that backpropagate, others, and what to keep.</summary>
    public (List<Tensor> Differentiable, Tensor?[] Others, List<Tensor> Saved) RunForward(Tensor[] inputs)
    {
        Tensor[] more = SavedTensors.IsAvailable ? [.. _higher.Keep(inputs)] : [];
        var made = _forward.Run(inputs);
        var others = new Tensor?[Joint.Outputs];
        for (var i = 0; i < others.Length; i++)
        {
            others[i] = _isSeeded[i] ? null : made[i];
        }

        // An output becomes a part of autograd's graph; what is kept for the backward pass must not, or the graph would hold itself.
        List<Tensor> saved = [.. Partition.SavedOutputs.Select(i => i < Joint.Outputs ? made[i].alias() : made[i]), .. Partition.SavedInputs.Select(i => inputs[i]), .. more];
        return ([.. Joint.Seeded.Select(i => made[i])], others, saved);
    }

    /// <summary>Runs both graphs on the recorded run's arguments.</summary>
    /// <returns>Outputs, gradients, and the arguments after it.</returns>
    internal (Tensor[] Results, Tensor[] Arguments) Try(JointRecording recording, IReadOnlyList<Tensor> held)
    {
        using var still = no_grad();
        Tensor[] arguments = [.. recording.Before.Select(tensor => Partition.Forward.Mutations.IsEmpty ? tensor : empty_like(tensor).copy_(tensor))];
        var inputs = Inputs(arguments, held);
        var made = _forward.Run(inputs);
        var gradients = _backward.Run([.. recording.Seeds, .. Partition.SavedOutputs.Select(i => made[i]), .. Partition.SavedInputs.Select(i => inputs[i])]);
        return ([.. made.Take(Joint.Outputs), .. gradients], arguments);
    }

    /// <summary>Measures the kernels of both passes, for gradients of one at each output.</summary>
    public void Profile(Tensor[] arguments, IReadOnlyList<Tensor> held, int runs)
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        var inputs = Inputs(arguments, held);
        if (_forward is CompiledGraph { Executable: CpuExecutable forward } && _backward is CompiledGraph { Executable: CpuExecutable backward })
        {
            forward.Profile(inputs, runs);
            var made = _forward.Run(inputs);
            var seeds = Joint.Seeded.Select(output => ones_like(made[output]));
            backward.Profile([.. seeds, .. Partition.SavedOutputs.Select(i => made[i]), .. Partition.SavedInputs.Select(i => inputs[i])], runs);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _forward.Dispose();
        _backward.Dispose();
        foreach (var thread in _freesAtEnd ? [] : _given.Keys)
        {
            Free(thread); // else a backward pass of another thread may be under way, and frees them when it is over
        }

        foreach (var constant in _constants)
        {
            constant?.Dispose();
        }
    }

    private Tensor[] Inputs(ReadOnlySpan<Tensor> arguments, IReadOnlyList<Tensor> held)
    {
        var inputs = new Tensor[arguments.Length + _held.Length];
        arguments.CopyTo(inputs);
        for (var i = 0; i < _held.Length; i++)
        {
            inputs[arguments.Length + i] = _held[i] < 0 ? _constants[i]! : held[_held[i]];
        }

        return inputs;
    }
}
