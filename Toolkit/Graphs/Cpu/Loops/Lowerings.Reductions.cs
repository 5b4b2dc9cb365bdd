namespace Toolkit.Graphs.Cpu;

internal static partial class Lowerings
{
    private static IEnumerable<KeyValuePair<string, Lowering>> Reductions()
    {
        foreach (var (name, reduction) in new[] { ("sum.dim_IntList", Reduction.Sum), ("sum", Reduction.Sum), ("amax", Reduction.Greatest), ("amin", Reduction.Least), ("max", Reduction.Greatest), ("min", Reduction.Least) })
        {
            yield return Reducing($"aten::{name}", (b, n) => b.Reduce(reduction, b.Argument("self", OutputKind(n))), Dimensions, IsNumber);
        }

        yield return Reducing("aten::mean.dim", (b, n) => Mean(b, b.Argument("self", OutputKind(n))), Dimensions, IsReal);
        yield return Reducing("aten::mean", (b, n) => Mean(b, b.Argument("self", OutputKind(n))), Dimensions, IsReal);
        yield return Reducing("aten::var.correction", (b, n) => Variance(b, b.Argument("self", OutputKind(n)), Correction(n)).Variance, Dimensions, IsReal);
        yield return Reducing("aten::std.correction", (b, n) => b.Apply("Sqrt({0})", OutputKind(n), Variance(b, b.Argument("self", OutputKind(n)), Correction(n)).Variance), Dimensions, IsReal);
        yield return Reducing("aten::linalg_vector_norm", Norm, Dimensions, node => IsReal(node) && NumberKinds.Of(node.Inputs.First().Type.DType) is NumberKind.Float or NumberKind.Double && Call(node).Number("ord") is 1 or 2);
        foreach (var name in new[] { "aten::_softmax", "aten::softmax.int" })
        {
            yield return Reducing(name, (b, n) => Softmax(b, b.Argument("self", OutputKind(n))), OneDimension, IsReal);
        }

        foreach (var name in new[] { "aten::_log_softmax", "aten::log_softmax.int" })
        {
            yield return Reducing(name, (b, n) => LogSoftmax(b, b.Argument("self", OutputKind(n))), OneDimension, IsReal);
        }

        yield return new("aten::native_layer_norm", new(LayerNorm, Normalized, IsReal));
        yield return new("aten::layer_norm", new((b, n) => [LayerNorm(b, n)[0]], Normalized, IsReal));
        yield return Reducing("aten::rms_norm", (b, n) => RmsNorm(b, n, b.Argument("input", OutputKind(n)), Call(n).Has("eps") ? Call(n).Number("eps") : OutputKind(n) == NumberKind.Double ? double.BitIncrement(1) - 1 : float.BitIncrement(1) - 1), Normalized, IsReal);
        yield return Reducing("toolkit::rms_norm", (b, n) => RmsNorm(b, n, b.Argument("x", OutputKind(n)), Call(n).Number("epsilon")), _ => [-1], IsReal);
    }

    private static KeyValuePair<string, Lowering> Reducing(string name, Func<LoopBuilder, Node, Expression> lower, Func<Node, IEnumerable<long>> reduced, Func<Node, bool> fits) =>
        new(name, new((b, n) => [lower(b, n)], reduced, fits));

    /// <summary>Those named, or all.</summary>
    private static IEnumerable<long> Dimensions(Node node)
    {
        var rank = node.Inputs.First().Type.Shape.Count;
        var named = node.Operator.Parameters.Any(parameter => parameter.Name == "dim") ? Call(node).Integers("dim") : null;
        return named is { Length: > 0 } some ? some : Enumerable.Range(0, rank).Select(d => (long)d);
    }

    private static IEnumerable<long> OneDimension(Node node) => [Call(node).Integer("dim")];

    private static IEnumerable<long> Normalized(Node node) => Enumerable.Range(1, Call(node).Integers("normalized_shape")!.Value.Length).Select(d => -(long)d);

    private static double Correction(Node node) => Call(node).Has("correction") ? Call(node).Number("correction") : 1;

    private static Expression Mean(LoopBuilder b, Expression x) => b.Divide(b.Reduce(Reduction.Sum, x), b.RowLength);

    private static Expression Norm(LoopBuilder b, Node node)
    {
        var x = b.Argument("self", OutputKind(node));
        return Call(node).Number("ord") == 1
            ? b.Reduce(Reduction.Sum, b.Apply("Abs({0})", x.Kind, x))
            : b.Apply("Sqrt({0})", x.Kind, b.Reduce(Reduction.Sum, b.Apply("({0} * {0})", x.Kind, x)));
    }

    private static (Expression Mean, Expression Centered, Expression Variance) Variance(LoopBuilder b, Expression x, double correction)
    {
        var mean = Mean(b, x);
        var centered = b.Apply("({0} - {1})", x.Kind, x, mean);
        var squares = b.Reduce(Reduction.Sum, b.Apply("({0} * {0})", x.Kind, centered));
        return (mean, centered, b.Divide(squares, Math.Max(0, b.RowLength - correction)));
    }

    private static Expression Softmax(LoopBuilder b, Expression x)
    {
        var powers = b.Apply("ExpNegative({0} - {1})", x.Kind, x, b.Reduce(Reduction.Greatest, x));
        return b.Apply("({0} * {1})", x.Kind, powers, b.Apply("({1} / {0})", x.Kind, b.Reduce(Reduction.Sum, powers), b.Constant(1, x.Kind)));
    }

    private static Expression LogSoftmax(LoopBuilder b, Expression x)
    {
        var shifted = b.Apply("({0} - {1})", x.Kind, x, b.Reduce(Reduction.Greatest, x));
        return b.Apply("({0} - {1})", x.Kind, shifted, b.Apply("Log({0})", x.Kind, b.Reduce(Reduction.Sum, b.Apply("ExpNegative({0})", x.Kind, shifted))));
    }

    private static Expression[] LayerNorm(LoopBuilder b, Node node)
    {
        var kind = OutputKind(node);
        var (mean, centered, variance) = Variance(b, b.Argument("input", kind), 0);
        var factor = b.Apply("({2} / Sqrt({0} + {1}))", kind, variance, b.Constant(Call(node).Number("eps"), kind), b.Constant(1, kind));
        var y = b.Apply("({0} * {1})", kind, centered, factor);
        return [Affine(b, node, y, kind), mean, factor];
    }

    private static Expression Affine(LoopBuilder b, Node node, Expression y, NumberKind kind) => (Call(node).Has("weight"), Call(node).Has("bias")) switch
    {
        (true, true) => b.Apply("Fma({0}, {1}, {2})", kind, y, b.Argument("weight", kind), b.Argument("bias", kind)),
        (true, false) => b.Apply("({0} * {1})", kind, y, b.Argument("weight", kind)),
        (false, true) => b.Apply("({0} + {1})", kind, y, b.Argument("bias", kind)),
        _ => y,
    };

    private static Expression RmsNorm(LoopBuilder b, Node node, Expression x, double epsilon)
    {
        var squares = Mean(b, b.Apply("({0} * {0})", x.Kind, x));
        var factor = b.Apply("({2} / Sqrt({0} + {1}))", x.Kind, squares, b.Constant(epsilon, x.Kind), b.Constant(1, x.Kind));
        var y = b.Apply("({0} * {1})", x.Kind, x, factor);
        return Call(node).Has("weight") ? b.Apply("({0} * {1})", x.Kind, y, b.Argument("weight", x.Kind)) : y;
    }
}
