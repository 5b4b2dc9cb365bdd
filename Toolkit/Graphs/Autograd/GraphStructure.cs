namespace Toolkit.Graphs.Autograd;

/// <summary>Compares what two recordings of a program say.</summary>
internal static class GraphStructure
{
    /// <summary>The first difference of two graphs that should do the same, names of values aside; null where there is none.</summary>
    public static string? Difference(Graph a, Graph b)
    {
        var pairs = new Dictionary<Value, Value>(ReferenceEqualityComparer.Instance);
        if (!a.Inputs.Select(Describe).SequenceEqual(b.Inputs.Select(Describe)))
        {
            return $"it takes {a.Inputs.Length} tensors once and {b.Inputs.Length} then, or others";
        }

        foreach (var (x, y) in a.Inputs.Zip(b.Inputs))
        {
            pairs[y] = x;
        }

        for (var i = 0; i < Math.Max(a.Nodes.Length, b.Nodes.Length); i++)
        {
            if (i >= a.Nodes.Length || i >= b.Nodes.Length)
            {
                return $"it runs {a.Nodes.Length} operators once and {b.Nodes.Length} then";
            }

            var (x, y) = (a.Nodes[i], b.Nodes[i]);
            if (!ReferenceEquals(x.Operator, y.Operator) || !x.Arguments.SequenceEqual(y.Arguments.Select(argument => argument.Map(value => pairs[value])))
                || !x.Outputs.Select(output => output.Type).SequenceEqual(y.Outputs.Select(output => output.Type)))
            {
                return $"it runs {x} once and {y} then";
            }

            foreach (var (p, q) in x.Outputs.Zip(y.Outputs))
            {
                pairs[q] = p;
            }
        }

        return a.Outputs.SequenceEqual(b.Outputs.Select(output => pairs[output])) ? null : "it returns other values";
    }

    private static string Describe(GraphInput input) => input.Kind == GraphInputKind.Constant ? $"{input.Type}" : $"{input.Type} {input.Kind} {input.Path}";
}
