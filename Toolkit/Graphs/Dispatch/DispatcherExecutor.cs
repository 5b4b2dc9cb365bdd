using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// Runs a graph by sending each of its operators to libtorch's dispatcher: the very kernels that eager code would run, also those that TorchSharp has no function for. Operators of the
/// engine, and fused ones, run as in <see cref="GraphInterpreter"/>.
/// </summary>
public sealed class DispatcherExecutor : IExecutable
{
    private readonly LibraryOperator?[] _operators;
    private readonly int[][] _reads;
    private readonly int[][] _dead;
    private readonly int[] _first;
    private readonly int[] _outputs;
    private readonly int[] _mutations;
    private readonly int _slots;

    /// <summary>Prepares a graph.</summary>
    /// <exception cref="GraphException">The dispatcher cannot be reached, or an operator is unknown to it and to the vocabulary.</exception>
    public DispatcherExecutor(Graph graph)
    {
        Graph = graph;
        var dispatcher = DispatcherCapture.Required;
        var slots = new Dictionary<Value, int>(ReferenceEqualityComparer.Instance);
        foreach (var input in graph.Inputs)
        {
            slots.Add(input, slots.Count);
        }

        _operators = new LibraryOperator?[graph.Nodes.Length];
        _reads = new int[graph.Nodes.Length][];
        _first = new int[graph.Nodes.Length];
        for (var i = 0; i < graph.Nodes.Length; i++)
        {
            var node = graph.Nodes[i];
            _operators[i] = node.Body is null && node.Operator.Name.StartsWith("aten::", StringComparison.Ordinal) ? dispatcher.Find(node.Operator.Name) : null;
            if (_operators[i] is null && !node.Operator.CanEvaluate && node.Body is null)
            {
                throw new GraphException($"{node.Operator.Name} is no operator of this libtorch");
            }

            _reads[i] = [.. node.Inputs.Select(value => slots.TryGetValue(value, out var slot) ? slot : throw new GraphException($"%{value.Name} is read before it is computed"))];
            _first[i] = slots.Count;
            foreach (var output in node.Outputs)
            {
                slots.Add(output, slots.Count);
            }
        }

        _slots = slots.Count;
        _outputs = [.. graph.Outputs.Select(value => slots[value])];
        _mutations = [.. graph.Mutations.Select(mutation => slots[mutation.Value])];
        _dead = Dead(graph);
    }

    /// <inheritdoc/>
    public Graph Graph { get; }

    /// <inheritdoc/>
    /// <exception cref="GraphException">Inputs do not fit, or libtorch refuses them.</exception>
    public Tensor[] Run(ReadOnlySpan<Tensor> inputs)
    {
        using var still = no_grad();
        return RunDifferentiably(inputs);
    }

    /// <summary>Runs it as <see cref="Run"/> does, and lets autograd see it where gradients are on.</summary>
    public Tensor[] RunDifferentiably(ReadOnlySpan<Tensor> inputs)
    {
        if (inputs.Length != Graph.Inputs.Length)
        {
            throw new GraphException($"the graph has {Graph.Inputs.Length} inputs and was given {inputs.Length}");
        }

        for (var i = 0; i < inputs.Length; i++)
        {
            if (TensorType.Of(inputs[i]) is var type && type != Graph.Inputs[i].Type)
            {
                throw new GraphException($"input {i} ({Graph.Inputs[i].Path}) is {type} where {Graph.Inputs[i].Type} is wanted");
            }
        }

        using var scope = NewDisposeScope();
        var tensors = new Tensor?[_slots];
        inputs.CopyTo(tensors!);
        for (var i = 0; i < Graph.Nodes.Length; i++)
        {
            var node = Graph.Nodes[i];
            var results = Evaluate(i, node, [.. _reads[i].Select(slot => tensors[slot]!)]);
            results.CopyTo(tensors, _first[i]);
            foreach (var slot in _dead[i])
            {
                tensors[slot]!.Dispose();
                tensors[slot] = null;
            }
        }

        return Finish(tensors);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private Tensor[] Evaluate(int index, Node node, Tensor[] tensors)
    {
        var results = _operators[index] is { } op ? op.Call(node.Arguments, tensors)
            : node.Body is { } body ? new DispatcherExecutor(body).Run(tensors)
            : node.Operator.Evaluate(new(node.Operator, node.Arguments), tensors);
        return results.Length == node.Outputs.Length
            ? results : throw new GraphException($"{node.Operator.Name} made {results.Length} tensors where {node.Outputs.Length} were expected");
    }

    private Tensor[] Finish(Tensor?[] tensors)
    {
        // Graphs compute values: an output is neither an input nor changed by what is overwritten now.
        var results = new Tensor[_outputs.Length];
        for (var i = 0; i < results.Length; i++)
        {
            var tensor = tensors[_outputs[i]]!;
            var again = _outputs[i] < Graph.Inputs.Length || Array.IndexOf(_outputs, _outputs[i]) < i;
            results[i] = _mutations.Length > 0 && MayShare(Graph.Outputs[i]) ? tensor.clone() : again ? tensor.alias() : tensor;
        }

        Tensor[] values = [.. _mutations.Select(slot => _mutations.Length > 1 ? tensors[slot]!.clone() : tensors[slot]!)];
        using var still = no_grad();
        for (var i = 0; i < values.Length; i++)
        {
            tensors[Graph.Inputs.IndexOf(Graph.Mutations[i].Target)]!.copy_(values[i]);
        }

        foreach (var result in results)
        {
            result.MoveToOuterDisposeScope();
        }

        return results;
    }

    private static bool MayShare(Value value) => value.Producer is null || value.Producer.Body is not null || value.Producer.Operator.Parameters.Any(parameter => parameter.IsAliased);

    private int[][] Dead(Graph graph)
    {
        var seen = _outputs.Concat(_mutations).Concat(Enumerable.Range(0, graph.Inputs.Length)).ToHashSet();
        var dead = new int[graph.Nodes.Length][];
        for (var i = dead.Length - 1; i >= 0; i--)
        {
            dead[i] = [.. _reads[i].Concat(Enumerable.Range(_first[i], graph.Nodes[i].Outputs.Length)).Where(seen.Add)];
        }

        return dead;
    }
}
