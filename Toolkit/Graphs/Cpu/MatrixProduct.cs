namespace Toolkit.Graphs.Cpu;

/// <summary>A product of a matrix (or of rows of any number of dimensions) with a matrix of weights, read from a node: <c>alpha·x·w + beta·bias</c>.</summary>
/// <param name="Node">The node.</param>
/// <param name="X">Its rows, (..., K).</param>
/// <param name="Weight">(K, N), or (N, K) where <paramref name="IsTransposed"/>.</param>
/// <param name="Bias">What is added, broadcast to (..., N); null for nothing.</param>
/// <param name="IsTransposed">Whether the weight is (N, K).</param>
/// <param name="Alpha">Factor of the product.</param>
/// <param name="Beta">Factor of what is added.</param>
internal sealed record MatrixProduct(Node Node, Value X, Value Weight, Value? Bias, bool IsTransposed, double Alpha, double Beta)
{
    /// <summary>K.</summary>
    public long Depth => X.Type.Shape[^1];

    /// <summary>N.</summary>
    public long Columns => Node.Output.Type.Shape[^1];

    /// <summary>All other dimensions together.</summary>
    public long Rows => X.Type.Elements / Math.Max(1, Depth);

    /// <summary>Types of what takes part.</summary>
    public IReadOnlyList<TensorType> Types => [X.Type, Weight.Type, Node.Output.Type, .. Bias is null ? Array.Empty<TensorType>() : [Bias.Type]];

    /// <summary>The product that a node is; null where it is none of this form.</summary>
    public static MatrixProduct? Find(Node node)
    {
        if (node.Outputs.Length != 1)
        {
            return null;
        }

        var call = new OperatorCall(node.Operator, node.Arguments);
        return node.Operator.Name switch
        {
            "aten::mm" => new(node, call.Value("self"), call.Value("mat2"), null, false, 1, 0),
            "aten::addmm" => new(node, call.Value("mat1"), call.Value("mat2"), call.Value("self"), false, call.Number("alpha"), call.Number("beta")),
            "aten::linear" when call.Type("weight").Shape.Count == 2 => new(node, call.Value("input"), call.Value("weight"), call.Has("bias") ? call.Value("bias") : null, true, 1, 1),
            "aten::matmul" when call.Type("other").Shape.Count == 2 && call.Type("self").Shape.Count >= 1 => new(node, call.Value("self"), call.Value("other"), null, false, 1, 0),
            _ => null,
        };
    }
}
