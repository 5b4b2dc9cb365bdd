using Toolkit.Graphs.Passes;

namespace Toolkit.Graphs.Autograd;

/// <summary>Writes <c>aten::copy</c>, which autograd has no gradient of, by operators that it has gradients of.</summary>
internal sealed class CopiesWithGradients : IGraphPass
{
    /// <inheritdoc/>
    public string Name => "copies with gradients";

    /// <inheritdoc/>
    public Graph Run(Graph graph)
    {
        if (!graph.Nodes.Any(IsCopy))
        {
            return graph;
        }

        var builder = new GraphBuilder();
        builder.CopyInputs(graph);
        foreach (var node in graph.Nodes)
        {
            if (IsCopy(node))
            {
                builder.Replace(node.Output, Copy(builder, builder.Of(((ValueArgument)node.Arguments[1]).Value), node.Output.Type));
            }
            else
            {
                builder.Copy(node);
            }
        }

        return builder.BuildLike(graph);
    }

    private static bool IsCopy(Node node) => node.Operator.Name == "aten::copy";

    private static Value Copy(GraphBuilder builder, Value source, TensorType type)
    {
        var converted = source.Type.DType == type.DType ? source : builder.Add("aten::_to_copy", source, type.DType);
        return builder.Add("aten::clone", converted.Type.Shape == type.Shape ? converted : builder.Add("aten::expand", converted, type.Shape));
    }
}
