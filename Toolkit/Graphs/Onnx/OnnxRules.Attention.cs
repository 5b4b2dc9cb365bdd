using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Attention and what belongs to it.</content>
internal static partial class OnnxRules
{
    private static void Attentions(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        rules["aten::scaled_dot_product_attention"] = c => [Plain(c)];
        rules["aten::_scaled_dot_product_flash_attention_for_cpu"] = c => [Plain(c)];
        rules["toolkit::attention"] = c => [Engine(c)];
        rules["toolkit::rotary"] = c => [Rotary(c)];
    }

    private static string Plain(OnnxCall c)
    {
        var (q, k) = (c.ShapeOf("query"), c.ShapeOf("key"));
        if (c.Call.Number("dropout_p") > 0)
        {
            throw c.Unfit("dropout is not written; call eval() on the module before it is captured");
        }

        var group = q.Count > 2 ? q[^3] / k[^3] : 1;
        return Attend(
            c,
            c["query"],
            Grouped(c, c["key"], k, group),
            Grouped(c, c["value"], c.ShapeOf("value"), group),
            q.Count,
            c.Call.Has("scale") ? c.Call.Number("scale") : 1 / Math.Sqrt(q[^1]),
            null,
            c.Call.Has("attn_mask") ? (c["attn_mask"], c.Call.Type("attn_mask").DType) : c.Call.Flag("is_causal") ? Causal(c, q[^2], k[^2], 0) : null);
    }

    private static string Engine(OnnxCall c)
    {
        var (q, k, v) = (c.ShapeOf("q"), c.ShapeOf("k"), c.ShapeOf("v"));
        string Turned(string name, Shape shape) => Grouped(c, c.Transpose(name, 0, 2, 1, 3), [shape[0], shape[2], shape[1], shape[3]], q[2] / shape[2]); // (B, H, T, D)
        var y = Attend(
            c,
            Turned(c["q"], q),
            Turned(c["k"], k),
            Turned(c["v"], v),
            4,
            c.Call.Has("scale") ? c.Call.Number("scale") : 1 / Math.Sqrt(q[3]),
            c.Call.Has("soft_cap") ? c.Call.Number("soft_cap") : null,
            c.Call.Has("mask") ? (c["mask"], c.Call.Type("mask").DType) : Causal(c, q[1], k[1], k[1] - q[1]));
        return c.Transpose(y, 0, 2, 1, 3);
    }

    /// <summary>softmax(q·kᵀ·scale + mask)·v.</summary>
    private static string Attend(OnnxCall c, string q, string k, string v, int rank, double scale, double? cap, (string Name, ScalarType Type)? mask)
    {
        var scores = c.Add("Mul", [c.Add("MatMul", [q, c.Transpose(k, Swapped(rank, rank - 2, rank - 1))]), c.Number(scale)]);
        if (cap is { } most)
        {
            scores = c.Add("Mul", [c.Add("Tanh", [c.Add("Div", [scores, c.Number(most)])]), c.Number(most)]);
        }

        if (mask is var (name, type))
        {
            scores = type == ScalarType.Bool ? c.Add("Where", [name, scores, c.Number(double.NegativeInfinity)]) : c.Add("Add", [scores, c.Cast(name, type, c.Type.DType)]);
        }

        return c.Add("MatMul", [c.Add("Softmax", [scores], ("axis", -1)), v]);
    }

    /// <summary>Every key-value head for each of the query heads that it serves.</summary>
    private static string Grouped(OnnxCall c, string name, Shape shape, long group)
    {
        if (group == 1)
        {
            return name;
        }

        Shape outer = [.. shape.Take(shape.Count - 2)];
        Shape with = [.. outer, 1, shape[^2], shape[^1]], wide = [.. outer, group, shape[^2], shape[^1]], flat = [.. outer.Take(outer.Count - 1), outer[^1] * group, shape[^2], shape[^1]];
        return c.Reshape(c.Add("Expand", [c.Reshape(name, with), c.Ints(wide.ToArray())]), flat);
    }

    /// <summary>Each place sees those up to its own, which is an offset farther.</summary>
    private static (string, ScalarType)? Causal(OnnxCall c, long time, long positions, long offset)
    {
        var last = c.Plus(c.Range(time), c.Emitter.Integer(offset));
        return (c.Add("LessOrEqual", [c.Range(positions), c.Add("Unsqueeze", [last, c.Ints(-1)])]), ScalarType.Bool);
    }

    /// <summary>Dimension i turns together with dimension i + R/2; those from R on stay.</summary>
    private static string Rotary(OnnxCall c)
    {
        var (half, width) = (c.ShapeOf("cos")[^1], c.Shape[^1]);
        var (x, cos, sin) = (c.As("x", c.Type.DType), c.As("cos", c.Type.DType), c.As("sin", c.Type.DType));
        var (a, b) = (c.Slice(x, 3, 0, half), c.Slice(x, 3, half, 2 * half));
        var first = c.Add("Sub", [c.Add("Mul", [a, cos]), c.Add("Mul", [b, sin])]);
        var second = c.Add("Add", [c.Add("Mul", [b, cos]), c.Add("Mul", [a, sin])]);
        return c.Add("Concat", width == 2 * half ? [first, second] : [first, second, c.Slice(x, 3, 2 * half, width)], ("axis", 3));
    }
}
