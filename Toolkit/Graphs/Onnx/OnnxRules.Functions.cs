using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Functions at each place that ONNX has to be given in parts.</content>
internal static partial class OnnxRules
{
    private static void Functions(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        One("trunc", c => Truncated(c, c.Self));
        One("frac", c => c.Self is var x ? c.Minus(x, Truncated(c, x)) : "");
        One("round.decimals", c => Math.Pow(10, c.Call.Integer("decimals")) is var scale ? c.Over(c.Add("Round", [c.Times(c.Self, c.Number(scale))]), c.Number(scale)) : "");
        One("sgn", c => c.Add("Sign", [c.Self]));
        One("hypot", c => c.Add("Sqrt", [c.Plus(Squared(c, c.Self), Squared(c, c.As("other", c.Type.DType)))]));
        One("deg2rad", c => c.Times(c.Self, c.Number(Math.PI / 180)));
        One("rad2deg", c => c.Times(c.Self, c.Number(180 / Math.PI)));
        One("atan2", Angle);
        One("copysign.Tensor", c => c.Add("Abs", [c.Self]) is var x ? c.Where(IsNegative(c, c.As("other", c.Type.DType), c.Type.DType), c.Add("Neg", [x]), x) : "");
        One("signbit", c => IsNegative(c, c["self"], c.Call.Type("self").DType));
        One("heaviside", c => c.Where(
            c.Add("Equal", [c.Self, c.Number(0)]), c.As("values", c.Type.DType), c.Cast(c.Add("Greater", [c.Self, c.Number(0)]), ScalarType.Bool, c.Type.DType)));
        One("logaddexp", c => Together(c, c.Self, c.As("other", c.Type.DType), Math.E));
        One("logaddexp2", c => Together(c, c.Self, c.As("other", c.Type.DType), 2));
        One("xlogy.Tensor", c => ZeroTimes(c, c.Self, c.Add("Log", [c.As("other", c.Type.DType)])));
        One("special_xlog1py", c => ZeroTimes(c, c.Self, c.Add("Log", [c.Plus(c.As("other", c.Type.DType), c.Number(1))])));
        One("special_entr", c => c.Add("Neg", [ZeroTimes(c, c.Self, c.Add("Log", [c.Self]))]));
        One("sinc", c => c.Times(c.Self, c.Number(Math.PI)) is var x ? c.Where(c.Add("Equal", [x, c.Number(0)]), c.Number(1), c.Over(c.Add("Sin", [x]), x)) : "");
        One("logit", c =>
        {
            var x = c.Call.Has("eps") ? c.Add("Clip", [c.Self, c.Number(c.Call.Number("eps")), c.Number(1 - c.Call.Number("eps"))]) : c.Self;
            return c.Add("Log", [c.Over(x, c.Minus(c.Number(1), x))]);
        });
        One("lerp.Tensor", c => c.Plus(c.Self, c.Times(c.As("weight", c.Type.DType), c.Minus(c.As("end", c.Type.DType), c.Self))));
        One("clamp.Tensor", c =>
        {
            var x = c.Call.Has("min") ? c.Add("Max", [c.Self, c.As("min", c.Type.DType)]) : c.Self;
            return c.Call.Has("max") ? c.Add("Min", [x, c.As("max", c.Type.DType)]) : x;
        });
        One("fmax", c => Known(c, "Max"));
        One("fmin", c => Known(c, "Min"));
        Tests(One);
        Activated(One);
    }

    private static void Tests(Action<string, Func<OnnxCall, string>> one)
    {
        one("isfinite", c => TypePromotion.IsFloating(c.Call.Type("self").DType)
            ? c.Add("Not", [c.Add("Or", [c.Add("IsNaN", [c["self"]]), c.Add("IsInf", [c["self"]])])])
            : c.Add("Equal", [c["self"], c["self"]]));
        one("isposinf", c => c.Add("IsInf", [c["self"]], ("detect_negative", 0)));
        one("isneginf", c => c.Add("IsInf", [c["self"]], ("detect_positive", 0)));
        one("nan_to_num", c =>
        {
            var (least, most) = c.Type.DType switch { ScalarType.Float64 => (double.MinValue, double.MaxValue), ScalarType.Float16 => (-65504, 65504), _ => (float.MinValue, float.MaxValue) };
            double Or(string parameter, double other) => c.Call.Has(parameter) ? c.Call.Number(parameter) : other;
            var x = c.Where(c.Add("IsNaN", [c.Self]), c.Number(Or("nan", 0)), c.Self);
            x = c.Where(c.Add("IsInf", [c.Self], ("detect_negative", 0)), c.Number(Or("posinf", most)), x);
            return c.Where(c.Add("IsInf", [c.Self], ("detect_positive", 0)), c.Number(Or("neginf", least)), x);
        });
        foreach (var name in new[] { "left", "right" })
        {
            foreach (var form in new[] { ".Tensor", ".Tensor_Scalar" })
            {
                // ONNX shifts only what has no sign.
                one($"bitwise_{name}_shift{form}", c =>
                {
                    var power = c.Add("Pow", [c.Number(2), c.As("other", c.Type.DType)]);
                    return name == "left" ? c.Times(c.Self, power) : Floor(c, c.Self, power);
                });
            }
        }
    }

    private static void Activated(Action<string, Func<OnnxCall, string>> one)
    {
        one("threshold", c => c.Where(c.Add("LessOrEqual", [c.Self, c.As("threshold", c.Type.DType)]), c.As("value", c.Type.DType), c.Self));
        one("hardshrink", c => c.Where(c.Add("LessOrEqual", [c.Add("Abs", [c.Self]), c.As("lambd", c.Type.DType)]), c.Number(0), c.Self));
        one("softshrink", c => c.Add("Shrink", [c.Self], ("lambd", c.Call.Number("lambd")), ("bias", c.Call.Number("lambd"))));
        one("celu", c => c.Add("Celu", [c.Self], ("alpha", c.Call.Number("alpha"))));
        one("hardtanh", c => c.Add("Clip", [c.Self, c.As("min_val", c.Type.DType), c.As("max_val", c.Type.DType)]));
        one("selu", c => c.Add("Selu", [c.Self]));
        one("log_sigmoid", c => c.Add("Neg", [c.Add("Softplus", [c.Add("Neg", [c.Self])])]));
        one("log_sigmoid_forward", c => c.Add("Neg", [c.Add("Softplus", [c.Add("Neg", [c.Self])])]));
        one("_prelu_kernel", c => c.Add("PRelu", [c.Self, c["weight"]]));
        one("glu", c =>
        {
            var (dim, half) = (c.Dimension("dim"), c.Shape[(int)c.Dimension("dim")]);
            return c.Times(c.Slice(c.Self, dim, 0, half), c.Add("Sigmoid", [c.Slice(c.Self, dim, half, 2 * half)]));
        });
    }

    /// <summary>Without what stands behind the point. Integers are divided so in ONNX.</summary>
    private static string Truncated(OnnxCall c, string x) => TypePromotion.IsFloating(c.Type.DType) ? c.Times(c.Add("Sign", [x]), c.Add("Floor", [c.Add("Abs", [x])])) : x;

    private static string Squared(OnnxCall c, string x) => c.Times(x, x);

    /// <summary>Zero where x is, whatever the other is.</summary>
    private static string ZeroTimes(OnnxCall c, string x, string other) => c.Where(c.Add("Equal", [x, c.Number(0)]), c.Number(0), c.Times(x, other));

    private static string IsNegative(OnnxCall c, string x, ScalarType type)
    {
        var zero = c.Emitter.Number(0, type);

        // Of zero the reciprocal tells the sign.
        return c.Add("Less", [TypePromotion.IsFloating(type) ? c.Where(c.Add("Equal", [x, zero]), c.Add("Reciprocal", [x]), x) : x, zero]);
    }

    /// <summary>log(bᵃ + bᶜ) to the base b.</summary>
    private static string Together(OnnxCall c, string x, string y, double of)
    {
        var difference = c.Add("Neg", [c.Add("Abs", [c.Minus(x, y)])]);
        difference = of == Math.E ? difference : c.Times(difference, c.Number(Math.Log(of)));
        var more = c.Add("Log", [c.Plus(c.Add("Exp", [difference]), c.Number(1))]);
        more = of == Math.E ? more : c.Over(more, c.Number(Math.Log(of)));

        // Two equal infinities have no difference.
        return c.Plus(c.Add("Max", [x, y]), c.Where(c.Add("Equal", [x, y]), c.Number(Math.Log(2) / Math.Log(of)), more));
    }

    /// <summary>The greater or less of two; where one is no number, the other.</summary>
    private static string Known(OnnxCall c, string op)
    {
        var (x, y) = (c.Self, c.As("other", c.Type.DType));
        return TypePromotion.IsFloating(c.Type.DType) ? c.Where(c.Add("IsNaN", [x]), y, c.Where(c.Add("IsNaN", [y]), x, c.Add(op, [x, y]))) : c.Add(op, [x, y]);
    }

    /// <summary>The angle of a point (x, y), from -π to π.</summary>
    private static string Angle(OnnxCall c)
    {
        var (y, x, zero) = (c.Self, c.As("other", c.Type.DType), c.Number(0));
        var angle = c.Add("Atan", [c.Over(y, x)]);
        var left = c.Plus(angle, c.Where(c.Add("Less", [y, zero]), c.Number(-Math.PI), c.Number(Math.PI)));
        var middle = c.Times(c.Add("Sign", [y]), c.Number(Math.PI / 2));
        return c.Where(c.Add("Greater", [x, zero]), angle, c.Where(c.Add("Less", [x, zero]), left, middle));
    }

    /// <summary>A quotient of integers towards minus infinity.</summary>
    private static string Floor(OnnxCall c, string x, string y)
    {
        var quotient = c.Over(c.Cast(x, c.Type.DType, ScalarType.Float64), c.Cast(y, c.Type.DType, ScalarType.Float64));
        return c.Cast(c.Add("Floor", [quotient]), ScalarType.Float64, c.Type.DType);
    }
}
