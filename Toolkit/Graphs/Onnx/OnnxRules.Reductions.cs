using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Sums, extremes and what runs along a dimension.</content>
internal static partial class OnnxRules
{
    private static void Reductions(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        foreach (var (name, op) in new[]
        {
            ("sum", "ReduceSum"), ("sum.dim_IntList", "ReduceSum"), ("mean", "ReduceMean"), ("mean.dim", "ReduceMean"), ("prod", "ReduceProd"), ("prod.dim_int", "ReduceProd"),
            ("amax", "ReduceMax"), ("amin", "ReduceMin"), ("max", "ReduceMax"), ("min", "ReduceMin"), ("logsumexp", "ReduceLogSumExp"),
        })
        {
            One(name, c => Reduced(c, op, c.Type.DType));
        }

        foreach (var (name, op) in new[] { ("any", "ReduceMax"), ("all", "ReduceMin") })
        {
            One(name, c => c.Cast(Reduced(c, op, ScalarType.Int32, ScalarType.Bool), ScalarType.Int32, c.Type.DType));
            One(name + ".dim", c => c.Cast(Reduced(c, op, ScalarType.Int32, ScalarType.Bool), ScalarType.Int32, c.Type.DType));
        }

        One("linalg_vector_norm", c => Norm(c, c.Self, c.Call.Number("ord"), Axes(c, "dim", c.ShapeOf("self").Count), c.Call.Flag("keepdim")));
        One("norm.Scalar", c => Norm(c, c.Self, c.Call.Number("p"), Axes(c, null, c.ShapeOf("self").Count), false));
        One("norm.ScalarOpt_dim", c => Norm(c, c.Self, c.Call.Has("p") ? c.Call.Number("p") : 2, Axes(c, "dim", c.ShapeOf("self").Count), c.Call.Flag("keepdim")));
        One("dist", c => Norm(c, c.Minus(c.Self, c.As("other", c.Type.DType)), c.Call.Number("p"), Axes(c, null, (Shape.Broadcast(c.ShapeOf("self"), c.ShapeOf("other")) ?? c.Shape).Count), false));
        One("nansum", c => c.Where(c.Add("IsNaN", [c.Self]), c.Number(0), c.Self) is var x && Axes(c, "dim", c.ShapeOf("self").Count) is { Length: > 0 } axes ? c.Reduce("ReduceSum", x, axes, c.Call.Flag("keepdim")) : x);
        foreach (var name in new[] { "count_nonzero", "count_nonzero.dim_IntList" })
        {
            One(name, c =>
            {
                var rank = c.ShapeOf("self").Count;
                var counts = c.Cast(Zeros(c, c["self"], c.Call.Type("self").DType, isNot: true), ScalarType.Bool, c.Type.DType);
                long[] axes = c.Node.Operator.Parameters.Any(parameter => parameter.Name == "dim" && c.Call.Has("dim") && parameter.Type != "int?") ? Axes(c, "dim", rank)
                    : c.Call.Has("dim") ? [c.Dimension("dim")] : Axes(c, null, rank);
                return rank == 0 ? counts : c.Reduce("ReduceSum", counts, axes, false);
            });
        }

        rules["aten::var_mean.correction"] = c =>
        {
            var (axes, keep, shape) = (Axes(c, "dim", c.ShapeOf("self").Count), c.Call.Flag("keepdim"), c.ShapeOf("self"));
            var mean = c.Reduce("ReduceMean", c["self"], axes, true);
            var freedom = Math.Max(0, axes.Aggregate(1.0, (n, d) => n * shape[(int)d]) - (c.Call.Has("correction") ? c.Call.Number("correction") : 1));
            var squares = c.Reduce("ReduceSum", Squared(c, c.Minus(c["self"], mean)), axes, keep);
            return [c.Over(squares, c.Number(freedom)), c.Reshape(mean, c.Node.Outputs[1].Type.Shape)];
        };
        foreach (var (name, op) in new[] { ("argmax", "ArgMax"), ("argmin", "ArgMin") })
        {
            One(name, c => c.Call.Has("dim")
                ? c.Add(op, [c["self"]], ("axis", c.Dimension("dim")), ("keepdims", c.Call.Flag("keepdim")))
                : c.Reshape(c.Add(op, [c.Reshape(c["self"], [c.ShapeOf("self").Elements])], ("axis", 0), ("keepdims", 0)), c.Shape));
        }

        foreach (var (name, value, place) in new[] { ("max.dim", "ReduceMax", "ArgMax"), ("min.dim", "ReduceMin", "ArgMin") })
        {
            rules["aten::" + name] = c => [Reduced(c, value, c.Type.DType), c.Add(place, [c["self"]], ("axis", c.Dimension("dim")), ("keepdims", c.Call.Flag("keepdim")))];
        }

        rules["aten::topk"] = c => c.Emitter.Add(
            "TopK", [c["self"], c.Ints(c.Call.Integer("k"))], 2, ("axis", c.Dimension("dim")), ("largest", c.Call.Flag("largest")), ("sorted", c.Call.Flag("sorted")));
        One("cumsum", c => c.Add("CumSum", [c.As("self", c.Type.DType), c.Emitter.Integer(c.Dimension("dim"))]));
        foreach (var (name, op) in new[] { ("softmax.int", "Softmax"), ("_softmax", "Softmax"), ("log_softmax.int", "LogSoftmax"), ("_log_softmax", "LogSoftmax") })
        {
            One(name, c => c.Add(op, [c.As("self", c.Type.DType)], ("axis", c.Dimension("dim"))));
        }
    }

    private static long[] Axes(OnnxCall c, string? parameter, int rank) =>
        [.. (parameter is null ? [.. Enumerable.Range(0, rank)] : Inference.Dimensions(c.Call, parameter, rank)).Select(d => (long)d)];

    private static string Zeros(OnnxCall c, string x, ScalarType type, bool isNot)
    {
        var same = type == ScalarType.Bool ? c.Add("Not", [x]) : c.Add("Equal", [x, c.Emitter.Number(0, type)]);
        return isNot ? c.Add("Not", [same]) : same;
    }

    /// <summary>(Σ|x|ᵖ)^(1/p), with its limits.</summary>
    private static string Norm(OnnxCall c, string x, double order, long[] axes, bool keep) => axes.Length == 0 ? c.Add("Abs", [x]) : order switch
    {
        0 => c.Reduce("ReduceSum", c.Cast(Zeros(c, x, c.Type.DType, isNot: true), ScalarType.Bool, c.Type.DType), axes, keep),
        1 => c.Reduce("ReduceL1", x, axes, keep),
        2 => c.Reduce("ReduceL2", x, axes, keep),
        double.PositiveInfinity => c.Reduce("ReduceMax", c.Add("Abs", [x]), axes, keep),
        double.NegativeInfinity => c.Reduce("ReduceMin", c.Add("Abs", [x]), axes, keep),
        _ => c.Add("Pow", [c.Reduce("ReduceSum", c.Add("Pow", [c.Add("Abs", [x]), c.Number(order)]), axes, keep), c.Number(1 / order)]),
    };

    /// <summary>A reduction over the dimensions that the call names, or all.</summary>
    private static string Reduced(OnnxCall c, string op, ScalarType type, ScalarType? before = null)
    {
        var hasDim = c.Node.Operator.Parameters.Any(parameter => parameter.Name == "dim");
        var rank = c.ShapeOf("self").Count;
        long[] axes = [.. (hasDim ? Inference.Dimensions(c.Call, "dim", rank) : [.. Enumerable.Range(0, rank)]).Select(d => (long)d)];
        var keep = hasDim && c.Call.Flag("keepdim");
        var x = before is { } first ? c.Cast(c.As("self", first), first, type) : c.As("self", type);
        if (rank == 0)
        {
            return x;
        }

        // Integers of fewer bits are reduced as wide ones, and run over where theirs do.
        var wide = type is ScalarType.Byte or ScalarType.Int8 or ScalarType.Int16 ? ScalarType.Int32 : type;
        return c.Cast(c.Add(op, [c.Cast(x, type, wide), c.Ints(axes)], ("keepdims", keep)), wide, type);
    }
}
