namespace Toolkit.Graphs.Passes;

/// <summary>
/// Chains of reshapes, permutations and slices become one of each, those that do nothing and copies of memory go. The graph that comes out says nothing of autograd: for what runs without it.
/// </summary>
public sealed class ViewElimination() : RewritePass(_rules)
{
    private static readonly string[] _reshapes =
        ["aten::view", "aten::reshape", "aten::_unsafe_view", "aten::flatten.using_ints", "aten::unsqueeze", "aten::squeeze", "aten::squeeze.dim", "aten::squeeze.dims"];

    private static readonly string[] _permutations = ["aten::permute", "aten::transpose.int", "aten::t", "aten::movedim.int"];

    private static readonly RewriteRule[] _rules =
    [
        new("a copy is what it copies", ["aten::clone", "aten::contiguous", "aten::alias", "aten::detach", "aten::lift_fresh"], r => r.First),
        new("reshape to its own shape", _reshapes, r => r.IfSame(r.First)),
        new("reshape of a reshape", _reshapes, r => Before(r, _reshapes) is { } source ? r.IfSame(source) ?? Reshape(r, source) : null),
        new("one name for reshapes", [.. _reshapes.Except(["aten::reshape"])], r => Reshape(r, r.First)),
        new("permutation of a permutation", _permutations, Permuted),
        new("one name for permutations", [.. _permutations.Except(["aten::permute"])], r => r.Add("aten::permute", r.First, Order(r.Call))),
        new("expand to its own shape", ["aten::expand"], r => r.IfSame(r.First)),
        new("expand of an expand", ["aten::expand"], r => Before(r, ["aten::expand"]) is { } source ? r.Add("aten::expand", source, r.Type.Shape) : null),
        new("a slice of everything", ["aten::slice.Tensor", "aten::narrow"], r => r.IfSame(r.First)),
        new("narrow is a slice", ["aten::narrow"], Narrow),
        new("slice of a slice", ["aten::slice.Tensor"], Slice),
    ];

    /// <inheritdoc/>
    public override string Name => "views";

    private static Value? Before(Rewrite r, string[] names) => Rewrite.Made(r.First) is { } made && names.Contains(made.Operator.Name) ? made.Values.First() : null;

    private static Value Reshape(Rewrite r, Value source) => r.Add("aten::reshape", source, r.Type.Shape);

    private static long[] Order(OperatorCall call) => [.. Views.Permutation(call)!.Value.Select(d => (long)d)];

    private static Value? Permuted(Rewrite r)
    {
        var order = Order(r.Call);
        var source = r.First;
        if (Before(r, _permutations) is { } before)
        {
            var first = Order(Rewrite.Made(r.First)!.Value);
            (source, order) = (before, [.. order.Select(d => first[d])]);
        }

        if (order.Select((d, i) => d == i).All(same => same))
        {
            return r.IfSame(source);
        }

        // Dimensions of extent 1 can stand anywhere.
        var shape = source.Type.Shape;
        var moved = order.Where(d => shape[(int)d] != 1).ToArray();
        return moved.SequenceEqual(moved.Order()) ? Reshape(r, source) : ReferenceEquals(source, r.First) ? null : r.Add("aten::permute", source, order);
    }

    private static Value Narrow(Rewrite r)
    {
        var shape = r.First.Type.Shape;
        var dim = Inference.Dimension(r.Call, "dim", shape.Count);
        var start = r.Call.Integer("start");
        start = start < 0 ? start + shape[dim] : start;
        return r.Add("aten::slice.Tensor", r.First, (long)dim, start, start + r.Call.Integer("length"), 1L);
    }

    private static Value? Slice(Rewrite r)
    {
        if (Rewrite.Made(r.First) is not { } inner || inner.Operator.Name != "aten::slice.Tensor")
        {
            return null;
        }

        var source = inner.Values.First();
        var (shape, middle) = (source.Type.Shape, r.First.Type.Shape);
        var (dim, outerDim) = (Inference.Dimension(inner, "dim", shape.Count), Inference.Dimension(r.Call, "dim", shape.Count));
        if (dim != outerDim)
        {
            return null;
        }

        var (a, b) = (Inference.Slice(inner, shape[dim]), Inference.Slice(r.Call, middle[dim]));
        var start = a.Start + (b.Start * a.Step);
        var step = a.Step * b.Step;
        return r.Add("aten::slice.Tensor", source, (long)dim, start, Math.Min(shape[dim], start + (b.Length == 0 ? 0 : ((b.Length - 1) * step) + 1)), step);
    }
}
