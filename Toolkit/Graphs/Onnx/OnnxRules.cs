using System.Collections.Frozen;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>How operators are written in ONNX's (opset 18): a line each. What is not here is taken apart first, or cannot be exported.</summary>
internal static partial class OnnxRules
{
    /// <summary>The rules by operator. They give the names of the outputs, as many as they have.</summary>
    public static readonly FrozenDictionary<string, Func<OnnxCall, string[]>> All = Rules();

    private static FrozenDictionary<string, Func<OnnxCall, string[]>> Rules()
    {
        var rules = new Dictionary<string, Func<OnnxCall, string[]>>(StringComparer.Ordinal);
        Pointwise(rules);
        Functions(rules);
        Reductions(rules);
        Views(rules);
        Places(rules);
        Orders(rules);
        Puts(rules);
        Products(rules);
        Layers(rules);
        Windows(rules);
        Losses(rules);
        Factories(rules);
        Special(rules);
        Attentions(rules);
        return rules.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static void Pointwise(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        foreach (var (name, op) in new[]
        {
            ("exp", "Exp"), ("log", "Log"), ("sqrt", "Sqrt"), ("sin", "Sin"), ("cos", "Cos"), ("tan", "Tan"), ("asin", "Asin"), ("acos", "Acos"), ("atan", "Atan"), ("sinh", "Sinh"),
            ("asinh", "Asinh"), ("acosh", "Acosh"), ("atanh", "Atanh"), ("cosh", "Cosh"), ("tanh", "Tanh"), ("sigmoid", "Sigmoid"), ("erf", "Erf"), ("reciprocal", "Reciprocal"), ("neg", "Neg"), ("abs", "Abs"), ("sign", "Sign"), ("floor", "Floor"),
            ("ceil", "Ceil"), ("round", "Round"), ("relu", "Relu"),
        })
        {
            One(name, c => c.Add(op, [c.As("self", c.Type.DType)]));
        }

        One("rsqrt", c => c.Add("Reciprocal", [c.Add("Sqrt", [c.As("self", c.Type.DType)])]));
        One("square", c => c.Add("Mul", [c.As("self", c.Type.DType), c.As("self", c.Type.DType)]));
        One("exp2", c => c.Add("Pow", [c.Number(2), c.As("self", c.Type.DType)]));
        One("expm1", c => c.Add("Sub", [c.Add("Exp", [c.As("self", c.Type.DType)]), c.Number(1)]));
        One("log1p", c => c.Add("Log", [c.Add("Add", [c.As("self", c.Type.DType), c.Number(1)])]));
        One("log2", c => c.Add("Mul", [c.Add("Log", [c.As("self", c.Type.DType)]), c.Number(1 / Math.Log(2))]));
        One("log10", c => c.Add("Mul", [c.Add("Log", [c.As("self", c.Type.DType)]), c.Number(1 / Math.Log(10))]));
        One("erfc", c => c.Add("Sub", [c.Number(1), c.Add("Erf", [c.As("self", c.Type.DType)])]));
        One("isnan", c => c.Add("IsNaN", [c["self"]]));
        One("isinf", c => c.Add("IsInf", [c["self"]]));
        One("logical_not", c => c.Add("Not", [c.As("self", ScalarType.Bool)]));
        One("bitwise_not", c => c.Type.DType == ScalarType.Bool ? c.Add("Not", [c["self"]]) : c.Add("BitwiseNot", [c["self"]]));
        One("leaky_relu", c => c.Add("LeakyRelu", [c["self"]], ("alpha", c.Call.Number("negative_slope"))));
        One("clamp", c => c.Add("Clip", [c.As("self", c.Type.DType), c.Call.Has("min") ? c.As("min", c.Type.DType) : "", c.Call.Has("max") ? c.As("max", c.Type.DType) : ""]));
        One("clamp_min", c => c.Add("Max", [c.As("self", c.Type.DType), c.As("min", c.Type.DType)]));
        One("clamp_max", c => c.Add("Min", [c.As("self", c.Type.DType), c.As("max", c.Type.DType)]));
        foreach (var form in new[] { ".Tensor", ".Scalar" })
        {
            One("add" + form, c => Sum(c, "Add", "Or"));
            One("sub" + form, c => Sum(c, "Sub", null));
            One("mul" + form, c => Both(c, c.Type.DType == ScalarType.Bool ? "And" : "Mul"));
            One("div" + form, c => Both(c, "Div"));
            One("remainder" + form, c => c.Add("Sub", [c.As("self", c.Type.DType), c.Add("Mul", [Floored(c), c.As("other", c.Type.DType)])]));
            One("fmod" + form, c => c.Add("Mod", [c.As("self", c.Type.DType), c.As("other", c.Type.DType)], ("fmod", 1)));
            One("eq" + form, c => Compared(c, "Equal"));
            One("ne" + form, c => c.Add("Not", [Compared(c, "Equal")]));
            One("lt" + form, c => Compared(c, "Less"));
            One("le" + form, c => Compared(c, "LessOrEqual"));
            One("gt" + form, c => Compared(c, "Greater"));
            One("ge" + form, c => Compared(c, "GreaterOrEqual"));
            One(form == ".Tensor" ? "floor_divide" : "floor_divide.Scalar", Floored);
            One($"div{form}_mode", c => c.Call.Text("rounding_mode") switch { null => Both(c, "Div"), "floor" => Floored(c), _ => Truncated(c, Both(c, "Div")) });
        }

        foreach (var form in new[] { "Tensor_Scalar", "Tensor_Tensor", "Scalar" })
        {
            One("pow." + form, c => c.Add("Pow", [c.As("self", c.Type.DType), c.As("exponent", c.Type.DType)]));
        }

        One("maximum", c => Both(c, "Max"));
        One("minimum", c => Both(c, "Min"));
        One("logical_and", c => c.Add("And", [c.As("self", ScalarType.Bool), c.As("other", ScalarType.Bool)]));
        One("logical_or", c => c.Add("Or", [c.As("self", ScalarType.Bool), c.As("other", ScalarType.Bool)]));
        One("logical_xor", c => c.Add("Xor", [c.As("self", ScalarType.Bool), c.As("other", ScalarType.Bool)]));
        foreach (var (name, truth, bits) in new[] { ("and", "And", "BitwiseAnd"), ("or", "Or", "BitwiseOr"), ("xor", "Xor", "BitwiseXor") })
        {
            One($"bitwise_{name}.Scalar", c => Both(c, c.Type.DType == ScalarType.Bool ? truth : bits));
            One($"bitwise_{name}.Tensor", c => Both(c, c.Type.DType == ScalarType.Bool ? truth : bits));
        }

        foreach (var form in new[] { "self", "ScalarSelf", "ScalarOther", "Scalar" })
        {
            One("where." + form, c => c.Add("Where", [c["condition"], c.As("self", c.Type.DType), c.As("other", c.Type.DType)]));
        }

        One("masked_fill.Scalar", c => c.Add("Where", [c["mask"], c.As("value", c.Type.DType), c["self"]]));
        One("masked_fill.Tensor", c => c.Add("Where", [c["mask"], c.As("value", c.Type.DType), c["self"]]));
        One("copy", c => c.Add("Expand", [c.As("src", c.Type.DType), c.Ints(c.Shape.ToArray())]));
        foreach (var name in new[] { "_to_copy", "to.dtype", "to.device" })
        {
            One(name, c => c.As("self", c.Type.DType));
        }

        foreach (var name in new[] { "clone", "contiguous", "detach", "alias", "lift_fresh" })
        {
            One(name, c => c["self"]);
        }

        rules["aten::dropout"] = c => c.Call.Flag("train") && c.Call.Number("p") > 0 ? throw c.Unfit("dropout that drops; call eval() on the module before it is captured") : [c["input"]];
    }

    private static string Both(OnnxCall c, string op) => c.Add(op, [c.As("self", c.Type.DType), c.As("other", c.Type.DType)]);

    /// <summary>A sum or difference, of which the second part may have a factor.</summary>
    private static string Sum(OnnxCall c, string op, string? truth)
    {
        if (c.Type.DType == ScalarType.Bool)
        {
            return truth is null ? throw c.Unfit("truth values have no difference") : Both(c, truth);
        }

        var alpha = c.Call.Number("alpha");
        var other = c.As("other", c.Type.DType);
        return c.Add(op, [c.As("self", c.Type.DType), alpha == 1 ? other : c.Add("Mul", [other, c.Number(alpha)])]);
    }

    private static string Floored(OnnxCall c)
    {
        if (TypePromotion.IsFloating(c.Type.DType))
        {
            return c.Add("Floor", [Both(c, "Div")]);
        }

        // Integers divide towards zero in ONNX; by way of float64 they do not.
        var quotient = c.Add("Div", [c.As("self", ScalarType.Float64), c.As("other", ScalarType.Float64)]);
        return c.Cast(c.Add("Floor", [quotient]), ScalarType.Float64, c.Type.DType);
    }

    private static string Compared(OnnxCall c, string op)
    {
        var type = TypePromotion.Of(c.Call, "self", "other");
        type = type == ScalarType.Bool && op != "Equal" ? ScalarType.Int32 : type;
        return c.Add(op, [c.As("self", type), c.As("other", type)]);
    }
}
