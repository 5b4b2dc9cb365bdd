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

        One("linalg_vector_norm", c => c.Call.Number("ord") switch
        {
            1 => Reduced(c, "ReduceL1", c.Type.DType),
            2 => Reduced(c, "ReduceL2", c.Type.DType),
            var order => throw c.Unfit(FormattableString.Invariant($"norms of order {order} are not written")),
        });
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

    /// <summary>A reduction over the dimensions that the call names, or all.</summary>
    private static string Reduced(OnnxCall c, string op, ScalarType type, ScalarType? before = null)
    {
        var hasDim = c.Node.Operator.Parameters.Any(parameter => parameter.Name == "dim");
        var rank = c.ShapeOf("self").Count;
        long[] axes = [.. (hasDim ? Inference.Dimensions(c.Call, "dim", rank) : [.. Enumerable.Range(0, rank)]).Select(d => (long)d)];
        var keep = hasDim && c.Call.Flag("keepdim");
        var x = before is { } first ? c.Cast(c.As("self", first), first, type) : c.As("self", type);
        return rank == 0 ? x : c.Add(op, [x, c.Ints(axes)], ("keepdims", keep));
    }
}
