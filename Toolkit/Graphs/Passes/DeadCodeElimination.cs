namespace Toolkit.Graphs.Passes;

/// <summary>Leaves out what nobody reads. Random operations stay, so that those after them draw the same numbers; so do those that change their inputs.</summary>
public sealed class DeadCodeElimination : IGraphPass
{
    /// <inheritdoc/>
    public string Name => "dead code";

    /// <inheritdoc/>
    public Graph Run(Graph graph)
    {
        var live = new HashSet<Value>(ReferenceEqualityComparer.Instance);
        live.UnionWith(graph.Outputs);
        live.UnionWith(graph.Mutations.Select(mutation => mutation.Value));
        var kept = new bool[graph.Nodes.Length];
        for (var i = kept.Length - 1; i >= 0; i--)
        {
            var node = graph.Nodes[i];
            kept[i] = node.HasEffect() || node.Outputs.Any(live.Contains);
            if (kept[i])
            {
                live.UnionWith(node.Inputs);
            }
        }

        if (Array.TrueForAll(kept, keep => keep))
        {
            return graph;
        }

        var builder = new GraphBuilder();
        builder.CopyInputs(graph);
        for (var i = 0; i < kept.Length; i++)
        {
            if (kept[i])
            {
                builder.Copy(graph.Nodes[i]);
            }
        }

        return builder.BuildLike(graph);
    }
}
