using System.Collections.Concurrent;
using Toolkit.Graphs.Cpu;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>A forward and a backward graph, compiled, that autograd sees as one function.</summary>
internal sealed class TrainingVariant : IDisposable
{
    private readonly IExecutable _forward;
    private readonly IExecutable _backward;
    private readonly int[] _held;
    private readonly Tensor?[] _constants;
    private readonly int[] _sources;
    private readonly int[][] _seedsOf;
    private readonly bool[] _isSeeded;
    // By thread: what one thread's backward pass returned, native code on that thread reads after it has returned.
    private readonly ConcurrentDictionary<int, (List<Tensor?> Returned, List<Tensor> Handed)> _given = [];

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
        _seedsOf = SeedsOf(Partition.Backward, Joint.Seeded.Length);
        _isSeeded = [.. Enumerable.Range(0, Joint.Outputs).Select(i => Joint.Seeded.Contains(i))];
        var others = Joint.Graph.Inputs.Skip(Joint.Arguments).Take(Joint.Others).ToArray();
        _held = [.. others.Select(input => input.Kind == GraphInputKind.Parameter ? held.ToList().IndexOf(input.Path) : -1)];
        _constants = [.. others.Select((input, i) => _held[i] < 0 ? recording.Others[i].alias().DetachFromDisposeScope() : null)];
    }

    /// <summary>Both passes.</summary>
    public JointGraph Joint { get; }

    /// <summary>The two graphs.</summary>
    public GraphPartition Partition { get; }

    /// <summary>What runs the forward graph.</summary>
    public IExecutable Forward => _forward;

    /// <summary>What runs the backward graph.</summary>
    public IExecutable Backward => _backward;

    /// <summary>Why the last backward pass failed; null where none did.</summary>
    public string? Failure { get; private set; }

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
        var made = _forward.Run(inputs);
        var others = new Tensor?[Joint.Outputs];
        for (var i = 0; i < others.Length; i++)
        {
            others[i] = _isSeeded[i] ? null : made[i];
        }

        // An output becomes a part of autograd's graph; what is kept for the backward pass must not, or the graph would hold itself.
        List<Tensor> saved = [.. Partition.SavedOutputs.Select(i => i < Joint.Outputs ? made[i].alias() : made[i]), .. Partition.SavedInputs.Select(i => inputs[i])];
        return ([.. Joint.Seeded.Select(i => made[i])], others, saved);
    }

    /// <summary>
    /// Backward graph; never throws, for an exception that left here would end the process (and so would one of libtorch's own, which autograd.grad does not catch). Where it fails the
    /// gradients are not numbers, and the next call throws.
    /// </summary>
    /// <param name="saved">What was kept.</param>
    /// <param name="gradients">Of the outputs; those that are not used are none.</param>
    /// <returns>One for each thing that the function was given.</returns>
    public List<Tensor> RunBackward(Func<List<Tensor>> saved, List<Tensor> gradients)
    {
        List<Tensor?> result;
        List<Tensor> handed = [];
        try
        {
            using var scope = NewDisposeScope();
            if (is_grad_enabled())
            {
                throw new GraphException("gradients of gradients are not compiled: run the module as it is for them");
            }

            var given = gradients.Select(gradient => gradient is { IsInvalid: false }).ToArray();
            var seeds = Joint.Seeded.Select((output, i) => given[i] ? Typed(gradients[i], output) : Zeros(Partition.Forward.Outputs[output].Type));
            Tensor[] inputs = [.. seeds, .. saved()];
            var made = _backward.Run(inputs);
            result = [null];
            for (var i = 0; i < _sources.Length; i++)
            {
                // As in eager code, there is no gradient where nothing that backpropagates leads to.
                var place = Joint.Sources.IndexOf(_sources[i]);
                result.Add(_seedsOf[place].Length == 0 || Array.Exists(_seedsOf[place], seed => given[seed]) ? made[place].DetachFromDisposeScope() : null);
            }

            handed = HandedGradients.Add(result, inputs);
        }
        catch (Exception problem)
        {
            Failure = problem.Message.Split('\n')[0];
            using var tie = is_grad_enabled() ? Tie(saved, gradients) : null;
            result = [null, .. _sources.Select(source => (Tensor?)NotANumber(Joint.Graph.Inputs[source].Type, tie))];
        }

        foreach (var gradient in gradients)
        {
            gradient?.Dispose();
        }

        // Native code reads the handles after this has returned: nobody may finalise them until the next call of this thread.
        Free();
        _given[Environment.CurrentManagedThreadId] = (result, handed);
        return result!;
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
        foreach (var thread in _given.Keys)
        {
            Free(thread);
        }

        foreach (var constant in _constants)
        {
            constant?.Dispose();
        }
    }

    private Tensor Typed(Tensor gradient, int output) => gradient.dtype == Partition.Forward.Outputs[output].Type.DType ? gradient : gradient.to(Partition.Forward.Outputs[output].Type.DType);

    private static Tensor Zeros(TensorType type) => zeros(type.Shape.ToArray(), type.DType, new Device(type.Device));

    private static Tensor NotANumber(TensorType type, Tensor? tie)
    {
        using var scope = NewDisposeScope();
        var none = full(type.Shape.ToArray(), double.NaN, type.DType, new Device(type.Device));
        return (tie is null ? none : none.mul(tie.to(type.DType))).DetachFromDisposeScope();
    }

    /// <summary>
    /// A number that depends on all that a gradient would: whoever takes gradients of gradients that are not numbers gets none either, instead of those of the rest alone. Null where there is
    /// nothing to depend on.
    /// </summary>
    private static Tensor? Tie(Func<List<Tensor>> saved, List<Tensor> gradients)
    {
        using var scope = NewDisposeScope();
        try
        {
            Tensor[] all = [.. saved().Concat(gradients).Where(tensor => tensor is { IsInvalid: false, requires_grad: true })];
            return all.Length == 0 ? null : all.Select(tensor => tensor.to(ScalarType.Float64).sum()).Aggregate((a, b) => a.add(b)).DetachFromDisposeScope();
        }
        catch (System.Runtime.InteropServices.ExternalException)
        {
            return null; // what was kept is no longer what it was
        }
    }

    /// <summary>The seeds that each gradient depends on.</summary>
    private static int[][] SeedsOf(Graph backward, int seeds)
    {
        var reached = new Dictionary<Value, SortedSet<int>>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < seeds; i++)
        {
            reached[backward.Inputs[i]] = [i];
        }

        foreach (var node in backward.Nodes)
        {
            SortedSet<int> all = [.. node.Inputs.SelectMany(input => reached.TryGetValue(input, out var some) ? some : [])];
            foreach (var output in node.Outputs)
            {
                reached[output] = all;
            }
        }

        return [.. backward.Outputs.Select(output => reached.TryGetValue(output, out var some) ? some.ToArray() : [])];
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

    private void Free() => Free(Environment.CurrentManagedThreadId);

    private void Free(int thread)
    {
        if (!_given.TryRemove(thread, out var given))
        {
            return;
        }

        HandedGradients.Remove(given.Handed);
        foreach (var tensor in given.Returned)
        {
            tensor?.Dispose();
        }
    }
}
