using System.Collections.Immutable;

namespace Toolkit.Graphs.Passes;

/// <summary>Puts several simple operators where one stands that a back end does not want to know. Which these are is the back end's choice; normalisation by root mean square and the other operators of the toolkit stay whole unless asked for.</summary>
public sealed class Decomposition : IGraphPass
{
    private readonly HashSet<string> _operators;

    /// <summary>Of these operators, or of <see cref="Core"/>.</summary>
    /// <param name="operators">Names of the operators to take apart; none: <see cref="Core"/>.</param>
    /// <exception cref="ArgumentException">There is no rule for one of them.</exception>
    public Decomposition(params ReadOnlySpan<string> operators)
    {
        _operators = operators.Length == 0 ? [.. Core] : [.. operators];
        if (_operators.FirstOrDefault(name => !DecompositionRules.All.ContainsKey(name)) is { } unknown)
        {
            throw new ArgumentException($"there is no rule that takes {unknown} apart");
        }
    }

    /// <summary>All operators that there is a rule for.</summary>
    public static ImmutableArray<string> Available => [.. DecompositionRules.All.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Those that are taken apart unless said otherwise: after it there are products, reductions, pointwise functions, views and what only libtorch can do.</summary>
    public static ImmutableArray<string> Core => [.. Available.Where(name => !name.StartsWith("toolkit::", StringComparison.Ordinal) && name is not "aten::rms_norm")];

    /// <inheritdoc/>
    public string Name => "decomposition";

    /// <inheritdoc/>
    public Graph Run(Graph graph)
    {
        Purity.Require(graph);
        var builder = new GraphBuilder();
        builder.CopyInputs(graph);
        foreach (var node in graph.Nodes)
        {
            if (!TryTakeApart(builder, node))
            {
                builder.Copy(node);
            }
        }

        var whole = builder.BuildLike(graph);
        return whole.Nodes.Length == graph.Nodes.Length ? graph : new DeadCodeElimination().Run(whole);
    }

    private bool TryTakeApart(GraphBuilder builder, Node node)
    {
        if (node.Body is not null || !_operators.Contains(node.Operator.Name) || node.Outputs.Any(output => output.Type.Elements == 0 && node.Outputs.Length == 1))
        {
            return false;
        }

        builder.Origin = node.Origin;
        var arguments = node.Arguments.Select(argument => argument.Map(builder.Of)).ToImmutableArray();
        var parts = DecompositionRules.All[node.Operator.Name](new(builder, new(node.Operator, arguments), [.. node.Outputs.Select(output => output.Type)]));
        builder.Origin = Origin.None;
        if (parts is null)
        {
            return false;
        }

        for (var i = 0; i < node.Outputs.Length; i++)
        {
            if (parts[i].Type != node.Outputs[i].Type)
            {
                throw new GraphException($"what {node.Operator.Name} is taken apart into makes {parts[i].Type} of {node.Outputs[i].Type}");
            }

            builder.Replace(node.Outputs[i], parts[i]);
        }

        return true;
    }
}
