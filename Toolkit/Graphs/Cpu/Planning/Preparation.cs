using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>What is done to a graph before it is planned: what depends on no input is computed once, what nothing reads goes, what one loop can do becomes one node.</summary>
internal static class Preparation
{
    /// <summary>What has no loop of its own but consists of operators that have one, or of products.</summary>
    private static readonly Lazy<Passes.Decomposition> _decomposition = new(() => new([.. Passes.Decomposition.Core.Where(IsBetterApart)]));

    /// <summary>The graph with fused nodes, and tensors for the inputs that were added to it at the end.</summary>
    public static (Graph Graph, Tensor[] Constants) Prepare(Graph graph, bool isSizeless = false)
    {
        foreach (var node in graph.Nodes)
        {
            if (node.Operator.IsMutating)
            {
                throw new GraphException($"{node.Operator.Name} changes its input: the graph has to be functionalised first ({node.Origin})");
            }

            if (node.Operator != Operators.Fused && !node.Operator.CanEvaluate && Lowerings.Find(node) is null)
            {
                throw new GraphException($"{node.Operator.Name} can neither be compiled nor evaluated ({node.Origin})");
            }
        }

        var (folded, constants) = Fold(_decomposition.Value.Run(graph));
        return (Fusion.Apply(folded, fewRows: isSizeless ? 1 : Fusion.FewRows), constants);
    }

    private static (Graph Graph, Tensor[] Constants) Fold(Graph graph)
    {
        var known = new HashSet<Value>(ReferenceEqualityComparer.Instance);
        var used = Used(graph);
        foreach (var node in graph.Nodes.Where(node => node.Operator.Kind != OperatorKind.Random && node.Operator.CanEvaluate && node.Inputs.All(known.Contains)))
        {
            known.UnionWith(node.Outputs);
        }

        // Numbers that a loop writes by itself need no tensor.
        bool IsInline(Node node) => Lowerings.Find(node) is not null && !node.Inputs.Any();
        var wanted = graph.Nodes.Where(node => used.Contains(node) && !node.Outputs.All(known.Contains)).SelectMany(node => node.Inputs)
            .Concat(graph.Outputs).Concat(graph.Mutations.Select(mutation => mutation.Value))
            .Where(value => known.Contains(value) && value.Producer is { } producer && !IsInline(producer)).Distinct<Value>(ReferenceEqualityComparer.Instance).ToArray();
        var builder = new GraphBuilder();
        builder.CopyInputs(graph);
        var tensors = new List<Tensor>();
        var values = new Dictionary<Value, Tensor>(ReferenceEqualityComparer.Instance);
        using (NewDisposeScope())
        using (no_grad())
        {
            foreach (var value in wanted)
            {
                // A tensor of its own: what was evaluated may be a view.
                var tensor = Evaluate(value, values);
                using var copy = tensor.clone();
                tensors.Add(copy.contiguous().MoveToOuterDisposeScope().DetachFromDisposeScope());
                builder.Replace(value, builder.Input(value.Type, GraphInputKind.Constant, $"constant {value.Name}"));
            }
        }

        foreach (var node in graph.Nodes.Where(node => used.Contains(node) && (!node.Outputs.All(known.Contains) || IsInline(node))))
        {
            builder.Copy(node);
        }

        return (builder.BuildLike(graph), [.. tensors]);
    }

    private static Tensor Evaluate(Value value, Dictionary<Value, Tensor> values)
    {
        if (!values.TryGetValue(value, out var tensor))
        {
            var node = value.Producer!;
            var call = new OperatorCall(node.Operator, node.Arguments);
            var results = node.Operator.Evaluate(call, [.. call.Values.Select(input => Evaluate(input, values))]);
            for (var i = 0; i < results.Length; i++)
            {
                values[node.Outputs[i]] = results[i];
            }

            tensor = values[value];
        }

        return tensor;
    }

    /// <summary>Nodes on which something that is returned or changed depends.</summary>
    private static HashSet<Node> Used(Graph graph)
    {
        var used = new HashSet<Node>(ReferenceEqualityComparer.Instance);
        var open = new Stack<Node>(graph.Outputs.Concat(graph.Mutations.Select(mutation => mutation.Value)).Select(value => value.Producer).OfType<Node>());
        while (open.TryPop(out var node))
        {
            if (used.Add(node))
            {
                foreach (var producer in node.Inputs.Select(input => input.Producer).OfType<Node>())
                {
                    open.Push(producer);
                }
            }
        }

        return used;
    }

    private static bool IsBetterApart(string name) => !Lowerings.Names.Contains(name) && name is not ("aten::linear" or "aten::addmm" or "aten::mm" or "aten::embedding" or "aten::unbind.int"
        or "aten::split.Tensor" or "aten::split_with_sizes" or "aten::split.sizes" or "aten::chunk");
}
