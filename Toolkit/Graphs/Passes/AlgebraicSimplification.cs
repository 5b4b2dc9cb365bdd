using static TorchSharp.torch;

namespace Toolkit.Graphs.Passes;

/// <summary>Arithmetic that changes no value, whatever the values are: nothing here is wrong for infinities, for what is not a number, or for the sign of a zero.</summary>
public sealed class AlgebraicSimplification() : RewritePass(_rules)
{
    private static readonly RewriteRule[] _rules =
    [
        new("x * 1 = x", ["aten::mul.Scalar", "aten::div.Scalar"], r => r.Is("other", 1) ? r.IfSame(r.First) : null),

        // 0 + -0 is 0: adding 0 to a real number would lose the sign of a zero, taking 0 away does not.
        new("x - 0 = x", ["aten::sub.Scalar"], r => r.Is("other", 0) && !double.IsNegative(r.Call.Number("other")) && FiniteAlpha(r) ? r.IfSame(r.First) : null),
        new("x + 0 = x", ["aten::add.Scalar"], r => r.Is("other", 0) && (Integral(r) || double.IsNegative(r.Call.Number("other"))) && r.Is("alpha", 1) ? r.IfSame(r.First) : null),
        new("x ^ 1 = x", ["aten::pow.Tensor_Scalar"], r => r.Is("exponent", 1) ? r.IfSame(r.First) : null),
        new("x ^ 2 = x * x", ["aten::pow.Tensor_Scalar"], r => r.Is("exponent", 2) && r.Type == r.First.Type ? r.Add("aten::mul.Tensor", r.First, r.First) : null),
        new("square = x * x", ["aten::square"], r => r.Type == r.First.Type ? r.Add("aten::mul.Tensor", r.First, r.First) : null),
        new("-(-x) = x", ["aten::neg"], r => Made(r.First, "aten::neg")),
        new("f(f(x)) = f(x)", ["aten::relu", "aten::abs", "aten::floor", "aten::ceil", "aten::round", "aten::trunc"], r => Rewrite.Made(r.First)?.Operator == r.Call.Operator ? r.First : null),
        new("not not x = x", ["aten::logical_not"], r => Made(r.First, "aten::logical_not") is { Type.DType: ScalarType.Bool } x ? x : null),
        new("where(c, x, x) = x", ["aten::where.self"], r => ReferenceEquals(r.Call.Value("self"), r.Call.Value("other")) ? r.IfSame(r.Call.Value("self")) : null),
        new("to its own type", ["aten::_to_copy", "aten::to.dtype", "aten::to.device"], r => r.IfSame(r.First)),
        new("to a wider type and on", ["aten::_to_copy", "aten::to.dtype"], Converted),
        new("dropout without training", ["aten::dropout"], r => !r.Call.Flag("train") || r.Call.Number("p") == 0 ? r.First : null),
        new("a factory that only asks for a type", ["aten::zeros_like", "aten::ones_like", "aten::empty_like", "aten::full_like", "aten::new_zeros", "aten::new_ones", "aten::new_empty", "aten::new_full"], Factory),
        new("x op full(c) = x op c", ["aten::add.Tensor", "aten::sub.Tensor", "aten::mul.Tensor", "aten::div.Tensor"], Filled),
        new("cat of one", ["aten::cat"], r => r.Call.ValueList("tensors") is [{ } only] ? r.IfSame(only) : null),
        new("scatter of everything", ["aten::slice_scatter"], r => r.Call.Value("src").Type == r.Type && Inference.Slice(r.Call, Extent(r)) is { Start: 0, Step: 1 } ? r.Call.Value("src") : null),
        new("copy of what fits", ["aten::copy"], r => r.IfSame(r.Call.Value("src"))),
    ];

    /// <inheritdoc/>
    public override string Name => "algebra";

    private static bool Integral(Rewrite r) => TypePromotion.IsIntegral(r.Type.DType);

    private static bool FiniteAlpha(Rewrite r) => double.IsFinite(r.Call.Number("alpha")) && r.Call.Number("alpha") >= 0;

    private static Value? Made(Value value, string name) => Rewrite.Made(value) is { } call && call.Operator.Name == name ? call.Values.First() : null;

    private static long Extent(Rewrite r) => r.Type.Shape[Inference.Dimension(r.Call, "dim", r.Type.Shape.Count)];

    /// <summary>A type in between that holds every value of the first one changes nothing.</summary>
    private static Value? Converted(Rewrite r)
    {
        if (Rewrite.Made(r.First) is not { } before || before.Operator.Name is not ("aten::_to_copy" or "aten::to.dtype"))
        {
            return null;
        }

        var (source, middle) = (before.Values.First(), r.First.Type);
        var holds = TypePromotion.IsFloating(source.Type.DType) && TypePromotion.IsFloating(middle.DType)
            && TypePromotion.Promote(source.Type.DType, middle.DType) == middle.DType && source.Type.Device == r.Type.Device;
        return !holds ? null : r.IfSame(source) ?? r.Add("aten::_to_copy", source, r.Type.DType);
    }

    private static Value? Factory(Rewrite r)
    {
        Argument number = r.Call.Operator.Name switch
        {
            "aten::ones_like" or "aten::new_ones" => 1L,
            "aten::full_like" or "aten::new_full" => r.Call.Arguments[r.Call.Operator.IndexOf("fill_value")],
            _ => 0L,
        };
        return r.Add("aten::full", r.Type.Shape, number, r.Type.DType, NoArgument.Instance, new DeviceArgument(r.Type.Device));
    }

    /// <summary>A tensor of one number is that number, where the number is not rounded otherwise on the way.</summary>
    private static Value? Filled(Rewrite r)
    {
        var (x, y) = (r.Call.Value("self"), r.Call.Value("other"));
        if (x.Type != r.Type || y.Type.DType != r.Type.DType || r.Type.DType is not (ScalarType.Float32 or ScalarType.Float64) || Rewrite.Made(y) is not { } made)
        {
            return null;
        }

        Argument? number = made.Operator.Name switch
        {
            "aten::full" => made.Arguments[made.Operator.IndexOf("fill_value")] is FloatArgument or IntegerArgument ? made.Arguments[made.Operator.IndexOf("fill_value")] : null,
            "aten::zeros" => 0L,
            "aten::ones" => 1L,
            _ => null,
        };
        if (number is null || (r.Call.Operator.Parameters.Length > 2 && !r.Is("alpha", 1)))
        {
            return null;
        }

        // The number was rounded once when the tensor was filled.
        var value = number is IntegerArgument integer ? integer.Number : ((FloatArgument)number).Number;
        var rounded = r.Type.DType == ScalarType.Float32 ? (float)value : value;
        var op = r.Call.Operator.Name[..r.Call.Operator.Name.IndexOf('.')] + ".Scalar";
        return r.Add(op, x, rounded);
    }
}
