namespace Toolkit.Graphs.Passes;

/// <summary>Applies rules to every node, first to last, until none fits.</summary>
public abstract class RewritePass : IGraphPass
{
    private const int MostRounds = 16;
    private readonly ILookup<string, RewriteRule> _rules;

    private protected RewritePass(IEnumerable<RewriteRule> rules) =>
        _rules = rules.SelectMany(rule => rule.Operators.Select(op => (op, rule))).ToLookup(entry => entry.op, entry => entry.rule, StringComparer.Ordinal);

    /// <inheritdoc/>
    public abstract string Name { get; }

    /// <inheritdoc/>
    public Graph Run(Graph graph)
    {
        Purity.Require(graph);
        var dead = new DeadCodeElimination();
        for (var round = 0; round < MostRounds; round++)
        {
            var (after, changed) = Once(graph);
            if (!changed)
            {
                return graph;
            }

            graph = dead.Run(after);
        }

        return graph;
    }

    private (Graph Graph, bool Changed) Once(Graph graph)
    {
        var builder = new GraphBuilder();
        builder.CopyInputs(graph);
        var (changed, visible) = (false, Visible(graph));
        foreach (var node in graph.Nodes)
        {
            if (node.Body is null && node.Outputs.Length == 1 && Rewritten(builder, node) is { } value
                && !(node.Operator.Kind != OperatorKind.View && visible.Contains(node.Output) && Source(value) is GraphInput))
            {
                changed = true;
                builder.Replace(node.Output, value);
            }
            else
            {
                builder.Copy(node);
            }
        }

        return (builder.BuildLike(graph), changed);
    }

    /// <summary>
    /// What the caller gets in its hands, itself or through a view: it must not become an input where it was a tensor of its own,
    /// or whoever changes the result changes the input.
    /// </summary>
    private static HashSet<Value> Visible(Graph graph)
    {
        var visible = new HashSet<Value>(ReferenceEqualityComparer.Instance);
        foreach (var output in graph.Outputs)
        {
            for (var value = output; visible.Add(value) && value.Producer is { Operator.Kind: OperatorKind.View } view; value = view.Inputs.First())
            {
            }
        }

        return visible;
    }

    /// <summary>What a value is a view of.</summary>
    private static Value Source(Value value)
    {
        while (value.Producer is { Operator.Kind: OperatorKind.View } view)
        {
            value = view.Inputs.First();
        }

        return value;
    }

    private Value? Rewritten(GraphBuilder builder, Node node)
    {
        if (!_rules.Contains(node.Operator.Name))
        {
            return null;
        }

        builder.Origin = node.Origin;
        var rewrite = new Rewrite(builder, node.Operator, [.. node.Arguments.Select(argument => argument.Map(builder.Of))], node.Output.Type);
        var value = _rules[node.Operator.Name].Select(rule => (rule, value: rule.Apply(rewrite))).FirstOrDefault(entry => entry.value is not null);
        builder.Origin = Origin.None;
        return value.value is not { } found || found.Type == node.Output.Type
            ? value.value
            : throw new GraphException($"the rule \"{value.rule.Name}\" makes {found.Type} of {node.Output.Type}");
    }
}
