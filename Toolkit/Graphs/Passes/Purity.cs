namespace Toolkit.Graphs.Passes;

/// <summary>What may be moved, merged and left out.</summary>
internal static class Purity
{
    /// <summary>Whether leaving the node out is seen elsewhere than in its outputs.</summary>
    public static bool HasEffect(this Node node) =>
        node.Operator.IsMutating || node.Operator.Kind == OperatorKind.Random || (node.Body is { } body && body.Nodes.Any(HasEffect));

    /// <summary>Passes that reason about values want a graph that has nothing else.</summary>
    /// <exception cref="GraphException">An operator changes its input.</exception>
    public static void Require(Graph graph)
    {
        if (graph.Nodes.FirstOrDefault(node => node.Operator.IsMutating) is { } node)
        {
            throw new GraphException($"{node} changes its input: functionalise the graph first");
        }
    }
}
