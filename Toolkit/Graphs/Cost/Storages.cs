namespace Toolkit.Graphs;

/// <summary>Which values of a graph share memory, and how long that memory is needed.</summary>
internal sealed class Storages
{
    private readonly Graph _graph;
    private readonly Dictionary<Value, Value> _roots = new(ReferenceEqualityComparer.Instance);

    /// <summary>Of a graph.</summary>
    public Storages(Graph graph)
    {
        _graph = graph;
        foreach (var node in graph.Nodes.Where(Shares))
        {
            foreach (var output in node.Outputs)
            {
                _roots[output] = Root(node.Inputs.First());
            }
        }
    }

    /// <summary>Bytes that a node reads: of a value that is expanded only those that there are.</summary>
    public long BytesRead(Node node)
    {
        if (IsView(node))
        {
            return 0;
        }

        var op = node.Operator;
        if (op.Name is "aten::embedding" or "aten::index_select" or "aten::gather")
        {
            // Only what is picked is read.
            return node.Output.Type.Bytes + node.Inputs.Last().Type.Bytes;
        }

        var overwritten = op.Name is "aten::copy_" or "aten::fill_.Scalar" or "aten::fill_.Tensor" or "aten::zero_" ? node.Inputs.First() : null;
        return node.Inputs.Distinct<Value>(ReferenceEqualityComparer.Instance).Where(value => !ReferenceEquals(value, overwritten)).Sum(value => Math.Min(value.Type.Bytes, Root(value).Type.Bytes));
    }

    /// <summary>Bytes that a node writes.</summary>
    public long BytesWritten(Node node) => IsView(node) ? 0 : node.Outputs.Sum(output => output.Type.Bytes);

    /// <summary>Bytes of intermediate values that are needed while each node runs; inputs of the graph are not among them, results are.</summary>
    public long[] LiveBytes()
    {
        var (first, last) = (new Dictionary<Value, int>(ReferenceEqualityComparer.Instance), new Dictionary<Value, int>(ReferenceEqualityComparer.Instance));
        for (var i = 0; i < _graph.Nodes.Length; i++)
        {
            foreach (var root in _graph.Nodes[i].Outputs.Concat(_graph.Nodes[i].Inputs).Select(Root).Where(root => root is not GraphInput))
            {
                first.TryAdd(root, i);
                last[root] = i;
            }
        }

        foreach (var root in _graph.Outputs.Concat(_graph.Mutations.Select(mutation => mutation.Value)).Select(Root).Where(last.ContainsKey))
        {
            last[root] = _graph.Nodes.Length - 1;
        }

        var changes = new long[_graph.Nodes.Length + 1];
        foreach (var (root, begin) in first)
        {
            changes[begin] += root.Type.Bytes;
            changes[last[root] + 1] -= root.Type.Bytes;
        }

        var live = new long[_graph.Nodes.Length];
        for (var (i, sum) = (0, 0L); i < live.Length; i++)
        {
            live[i] = sum += changes[i];
        }

        return live;
    }

    private static bool Shares(Node node) => node.Operator.Parameters.Length > 0 && node.Inputs.Any()
        && (IsView(node) || (node.Operator.Parameters[0].IsWritten && node.Outputs.All(output => output.Type == node.Inputs.First().Type)));

    /// <summary>Whether it only sees its input otherwise.</summary>
    private static bool IsView(Node node) =>
        node.Operator.Parameters.Length > 0 && !node.Operator.IsMutating && (node.Operator.Kind == OperatorKind.View || node.Operator.Parameters[0].IsAliased) && Passes.Views.MayShare(node);

    private Value Root(Value value) => _roots.GetValueOrDefault(value, value);
}
