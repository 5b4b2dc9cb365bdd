namespace Toolkit.Graphs.Cpu;

internal static partial class Lowerings
{
    private static IEnumerable<KeyValuePair<string, Lowering>> Pointwise()
    {
        foreach (var (name, template) in new[]
        {
            ("neg", "(-{0})"), ("abs", "Abs({0})"), ("relu", "Max({0}, {zero})"), ("square", "({0} * {0})"),
        })
        {
            yield return Unary($"aten::{name}", template, node => OutputKind(node) != NumberKind.Boolean);
        }

        foreach (var (name, template) in new[]
        {
            ("exp", "Exp({0})"), ("log", "Log({0})"), ("log1p", "Log1p({0})"), ("sqrt", "Sqrt({0})"), ("rsqrt", "({one} / Sqrt({0}))"), ("reciprocal", "({one} / {0})"),
            ("sin", "Sin({0})"), ("cos", "Cos({0})"), ("tanh", "Tanh({0})"), ("sigmoid", "Sigmoid({0})"), ("erf", "Erf({0})"), ("silu", "Silu({0})"),
            ("floor", "Floor({0})"), ("ceil", "Ceiling({0})"), ("trunc", "Truncate({0})"), ("round", "Round({0})"),
        })
        {
            yield return Unary($"aten::{name}", template, IsReal);
        }

        foreach (var (name, template) in new[] { ("add", "({0} + {1})"), ("sub", "({0} - {1})") })
        {
            yield return Entry($"aten::{name}.Tensor", (b, n) => Sum(b, n, template), IsNumber);
            yield return Entry($"aten::{name}.Scalar", (b, n) => Sum(b, n, template), IsNumber);
        }

        yield return Entry("aten::rsub.Scalar", (b, n) => b.Apply("({0} - {1})", OutputKind(n), b.Argument("other", OutputKind(n)), Scaled(b, n, "self")), IsNumber);
        yield return Entry("aten::rsub.Tensor", (b, n) => b.Apply("({0} - {1})", OutputKind(n), b.Argument("other", OutputKind(n)), Scaled(b, n, "self")), IsNumber);
        foreach (var overload in new[] { "Tensor", "Scalar" })
        {
            yield return Binary($"aten::mul.{overload}", "({0} * {1})", IsNumber);
            yield return Binary($"aten::div.{overload}", "({0} / {1})", IsReal);
        }

        yield return Binary("aten::maximum", "Max({0}, {1})", IsNumber);
        yield return Binary("aten::minimum", "Min({0}, {1})", IsNumber);
        yield return Binary("aten::pow.Tensor_Tensor", "Pow({0}, {1})", IsReal);
        yield return Entry("aten::pow.Tensor_Scalar", Power, IsReal);
        yield return Entry("aten::clamp", Clamp, IsNumber);
        yield return Entry("aten::clamp_min", (b, n) => b.Apply("Max({0}, {1})", OutputKind(n), b.Argument("self", OutputKind(n)), b.Argument("min", OutputKind(n))), IsNumber);
        yield return Entry("aten::clamp_max", (b, n) => b.Apply("Min({0}, {1})", OutputKind(n), b.Argument("self", OutputKind(n)), b.Argument("max", OutputKind(n))), IsNumber);
        yield return Entry("aten::gelu", (b, n) => b.Apply(Call(n).Text("approximate") == "tanh" ? "GeluTanh({0})" : "Gelu({0})", OutputKind(n), b.Argument("self", OutputKind(n))), IsReal);
        yield return Entry("toolkit::swiglu", (b, n) => b.Apply("(Silu({0}) * {1})", OutputKind(n), b.Argument("gate", OutputKind(n)), b.Argument("up", OutputKind(n))), IsReal);
        yield return Entry("aten::addcmul", (b, n) => AddCombined(b, n, "({0} + {3} * {1} * {2})"), IsReal);
        yield return Entry("aten::addcdiv", (b, n) => AddCombined(b, n, "({0} + {3} * {1} / {2})"), IsReal);
        yield return Entry("aten::lerp.Scalar", (b, n) => b.Apply("({0} + {2} * ({1} - {0}))", OutputKind(n), b.Argument("self", OutputKind(n)), b.Argument("end", OutputKind(n)), b.Argument("weight", OutputKind(n))), IsReal);
        yield return Entry("aten::leaky_relu", (b, n) => Piecewise(b, n, (x, slope) => b.Apply("({0} * {1})", x.Kind, x, slope), "negative_slope"), IsReal);
        yield return Entry("aten::softplus", Softplus, IsReal);
    }

    private static bool IsNumber(Node node) => OutputKind(node) != NumberKind.Boolean;

    private static KeyValuePair<string, Lowering> Unary(string name, string template, Func<Node, bool> fits) => Entry(
        name,
        (b, n) =>
        {
            // The constants come as further arguments.
            var x = b.Argument("self", OutputKind(n));
            return b.Apply(template.Replace("{zero}", "{1}", StringComparison.Ordinal).Replace("{one}", "{1}", StringComparison.Ordinal), x.Kind,
                template.Contains("{zero}", StringComparison.Ordinal) ? [x, b.Constant(0, x.Kind)] : template.Contains("{one}", StringComparison.Ordinal) ? [x, b.Constant(1, x.Kind)] : [x]);
        },
        fits);

    private static KeyValuePair<string, Lowering> Binary(string name, string template, Func<Node, bool> fits)
    {
        return Entry(name, (b, n) => b.Apply(template, OutputKind(n), b.Argument(n.Operator.Parameters[0].Name, OutputKind(n)), b.Argument(n.Operator.Parameters[1].Name, OutputKind(n))), fits);
    }

    /// <summary>An argument times alpha, where alpha is not 1.</summary>
    private static Expression Scaled(LoopBuilder b, Node node, string parameter)
    {
        var value = b.Argument(parameter, OutputKind(node));
        return Call(node).Number("alpha") == 1 ? value : b.Apply("({0} * {1})", value.Kind, value, b.Argument("alpha", value.Kind));
    }

    private static Expression Sum(LoopBuilder b, Node node, string template) =>
        b.Apply(template, OutputKind(node), b.Argument("self", OutputKind(node)), Scaled(b, node, "other"));

    private static Expression Power(LoopBuilder b, Node node)
    {
        var x = b.Argument("self", OutputKind(node));
        return Call(node).Number("exponent") switch
        {
            1 => x,
            2 => b.Apply("({0} * {0})", x.Kind, x),
            3 => b.Apply("({0} * {0} * {0})", x.Kind, x),
            0.5 => b.Apply("Sqrt({0})", x.Kind, x),
            -0.5 => b.Apply("({1} / Sqrt({0}))", x.Kind, x, b.Constant(1, x.Kind)),
            -1 => b.Apply("({1} / {0})", x.Kind, x, b.Constant(1, x.Kind)),
            var exponent => b.Apply("Pow({0}, {1})", x.Kind, x, b.Constant(exponent, x.Kind)),
        };
    }

    private static Expression Clamp(LoopBuilder b, Node node)
    {
        var x = b.Argument("self", OutputKind(node));
        x = Call(node).Has("min") ? b.Apply("Max({0}, {1})", x.Kind, x, b.Argument("min", x.Kind)) : x;
        return Call(node).Has("max") ? b.Apply("Min({0}, {1})", x.Kind, x, b.Argument("max", x.Kind)) : x;
    }

    private static Expression AddCombined(LoopBuilder b, Node node, string template)
    {
        var kind = OutputKind(node);
        return b.Apply(template, kind, b.Argument("self", kind), b.Argument("tensor1", kind), b.Argument("tensor2", kind), b.Argument("value", kind));
    }

    private static Expression Piecewise(LoopBuilder b, Node node, Func<Expression, Expression, Expression> below, string parameter)
    {
        var x = b.Argument("self", OutputKind(node));
        var isAbove = b.Apply("Gt({0}, {1})", NumberKind.Boolean, x, b.Constant(0, x.Kind));
        return b.Apply("Select({0}, {1}, {2})", x.Kind, isAbove, x, below(x, b.Argument(parameter, x.Kind)));
    }

    private static Expression Softplus(LoopBuilder b, Node node)
    {
        var x = b.Argument("self", OutputKind(node));
        var scaled = b.Apply("({0} * {1})", x.Kind, x, b.Argument("beta", x.Kind));
        var isLinear = b.Apply("Gt({0}, {1})", NumberKind.Boolean, scaled, b.Argument("threshold", x.Kind));
        var soft = b.Apply("(Log1p(Exp({0})) / {1})", x.Kind, scaled, b.Argument("beta", x.Kind));
        return b.Apply("Select({0}, {1}, {2})", x.Kind, isLinear, x, soft);
    }
}
