namespace Toolkit.Graphs.Passes;

/// <summary>Computes once what is computed twice from the same values. Never what draws random numbers.</summary>
public sealed class CommonSubexpressions : IGraphPass
{
    /// <inheritdoc/>
    public string Name => "common subexpressions";

    /// <inheritdoc/>
    public Graph Run(Graph graph)
    {
        Purity.Require(graph);
        var builder = new GraphBuilder();
        builder.CopyInputs(graph);
        var known = new Dictionary<Key, Node>();
        foreach (var node in graph.Nodes)
        {
            var key = new Key(node.Operator, [.. node.Arguments.Select(argument => argument.Map(builder.Of))]);
            if (node.Body is null && !node.HasEffect() && known.TryGetValue(key, out var same))
            {
                for (var i = 0; i < node.Outputs.Length; i++)
                {
                    builder.Replace(node.Outputs[i], same.Outputs[i]);
                }
            }
            else
            {
                known.TryAdd(key, builder.Copy(node));
            }
        }

        return builder.BuildLike(graph);
    }

    private readonly record struct Key(Operator Operator, Argument[] Arguments)
    {
        public bool Equals(Key other) => ReferenceEquals(Operator, other.Operator) && Arguments.AsSpan().SequenceEqual(other.Arguments, Comparer.Instance);

        public override int GetHashCode() => Arguments.Aggregate(Operator.Name.GetHashCode(StringComparison.Ordinal), HashCode.Combine);
    }

    /// <summary>The two zeros are different numbers here: 1/x tells them apart.</summary>
    private sealed class Comparer : IEqualityComparer<Argument>
    {
        public static readonly Comparer Instance = new();

        public bool Equals(Argument? x, Argument? y) => x is FloatArgument a && y is FloatArgument b
            ? BitConverter.DoubleToInt64Bits(a.Number) == BitConverter.DoubleToInt64Bits(b.Number)
            : object.Equals(x, y);

        public int GetHashCode(Argument obj) => obj.GetHashCode();
    }
}
