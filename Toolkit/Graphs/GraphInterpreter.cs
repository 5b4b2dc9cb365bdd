using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>
/// Runs a graph node after node with TorchSharp: the slow twin of every back end, and what says whether a pass kept the meaning of a graph.
/// A value is freed after its last use; what the graph leaves in its inputs is written when everything has been read.
/// </summary>
public sealed class GraphInterpreter : IExecutable
{
    private readonly Dictionary<Value, int> _slots = new(ReferenceEqualityComparer.Instance);
    private readonly int[][] _reads;
    private readonly int[][] _lastUses;
    private readonly int[] _outputs;

    /// <summary>Prepares a graph.</summary>
    /// <exception cref="GraphException">A node stands before what it reads, or cannot be computed outside of a back end.</exception>
    public GraphInterpreter(Graph graph)
    {
        Graph = graph;
        foreach (var input in graph.Inputs)
        {
            _slots.Add(input, _slots.Count);
        }

        _reads = new int[graph.Nodes.Length][];
        for (var i = 0; i < graph.Nodes.Length; i++)
        {
            var node = graph.Nodes[i];
            if (!node.Operator.CanEvaluate && node.Body is null)
            {
                throw new GraphException($"{node.Operator.Name} cannot be computed outside of a back end");
            }

            _reads[i] = [.. node.Inputs.Select(Slot)];
            foreach (var output in node.Outputs)
            {
                _slots.Add(output, _slots.Count);
            }
        }

        _outputs = [.. graph.Outputs.Select(Slot)];
        var kept = _outputs.Concat(graph.Mutations.Select(mutation => Slot(mutation.Value))).Concat(Enumerable.Range(0, graph.Inputs.Length)).ToHashSet();
        _lastUses = LastUses(graph, kept);
    }

    /// <inheritdoc/>
    public Graph Graph { get; }

    /// <summary>Runs a graph once.</summary>
    /// <inheritdoc cref="Run(ReadOnlySpan{Tensor})"/>
    public static Tensor[] Run(Graph graph, params ReadOnlySpan<Tensor> inputs) => new GraphInterpreter(graph).Run(inputs);

    /// <inheritdoc/>
    /// <exception cref="GraphException">There are too few or too many inputs, or one is of another type than the graph's.</exception>
    public Tensor[] Run(ReadOnlySpan<Tensor> inputs)
    {
        Check(inputs);
        using var scope = NewDisposeScope();
        var tensors = new Tensor?[_slots.Count];
        inputs.CopyTo(tensors!);
        for (var i = 0; i < Graph.Nodes.Length; i++)
        {
            var node = Graph.Nodes[i];
            var results = Evaluate(node, [.. _reads[i].Select(slot => tensors[slot]!)]);
            for (var j = 0; j < results.Length; j++)
            {
                tensors[_slots[node.Outputs[j]]] = results[j];
            }

            foreach (var slot in _lastUses[i])
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

    private static Tensor[] Evaluate(Node node, Tensor[] tensors)
    {
        try
        {
            var results = node.Body is { } body ? Run(body, tensors) : node.Operator.Evaluate(new(node.Operator, node.Arguments), tensors);
            return results.Length == node.Outputs.Length ? results : throw new GraphException($"{results.Length} tensors came out where {node.Outputs.Length} were expected");
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw new GraphException($"{node}{(node.Origin == Origin.None ? "" : $" ({node.Origin})")}: {exception.Message.Split('\n')[0]}", exception);
        }
    }

    private Tensor[] Finish(Tensor?[] tensors)
    {
        // Outputs that are inputs, or share memory with what is overwritten now, keep what they were: the graph computes values.
        var results = new Tensor[_outputs.Length];
        var alive = new HashSet<Tensor>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < results.Length; i++)
        {
            var tensor = tensors[_outputs[i]]!;
            var isInput = _outputs[i] < Graph.Inputs.Length;
            results[i] = Graph.Mutations.Length > 0 ? tensor.clone() : isInput || !alive.Add(tensor) ? tensor.alias() : tensor;
        }

        if (Graph.Mutations.Length > 0)
        {
            // A value may be a view of an input that another mutation overwrites.
            Tensor[] values = [.. Graph.Mutations.Select(mutation => tensors[_slots[mutation.Value]]!.clone())];
            using var still = no_grad();
            for (var i = 0; i < values.Length; i++)
            {
                tensors[_slots[Graph.Mutations[i].Target]]!.copy_(values[i]);
            }
        }

        foreach (var result in results)
        {
            result.MoveToOuterDisposeScope();
        }

        return results;
    }

    private void Check(ReadOnlySpan<Tensor> inputs)
    {
        if (inputs.Length != Graph.Inputs.Length)
        {
            throw new GraphException($"the graph has {Graph.Inputs.Length} inputs and was given {inputs.Length}");
        }

        for (var i = 0; i < inputs.Length; i++)
        {
            var (input, type) = (Graph.Inputs[i], TensorType.Of(inputs[i]));
            if (type != input.Type)
            {
                throw new GraphException($"input {i} ({input.Path}) is {type} where {input.Type} is wanted");
            }
        }
    }

    private int Slot(Value value) => _slots.TryGetValue(value, out var slot) ? slot : throw new GraphException($"%{value.Name} is read before it is computed");

    /// <summary>The slots that nothing reads after each node.</summary>
    private int[][] LastUses(Graph graph, HashSet<int> kept)
    {
        var last = new int[graph.Nodes.Length][];
        var seen = new HashSet<int>(kept);
        for (var i = last.Length - 1; i >= 0; i--)
        {
            last[i] = [.. _reads[i].Concat(graph.Nodes[i].Outputs.Select(Slot)).Where(seen.Add)];
        }

        return last;
    }
}
