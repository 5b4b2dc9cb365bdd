using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Products, convolutions, pools and normalisations.</content>
internal static partial class OnnxRules
{
    private static void Products(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        foreach (var (name, second) in new[] { ("mm", "mat2"), ("bmm", "mat2"), ("mv", "vec"), ("dot", "tensor"), ("matmul", "other") })
        {
            One(name, c => c.Add("MatMul", [c["self"], c[second]]));
        }

        One("outer", c => c.Add("Mul", [c.Reshape(c["self"], [c.Shape[0], 1]), c.Reshape(c["vec2"], [1, c.Shape[1]])]));
        One("addmm", c => TypePromotion.IsFloating(c.Type.DType)
            ? c.Add("Gemm", [c["mat1"], c["mat2"], c["self"]], ("alpha", c.Call.Number("alpha")), ("beta", c.Call.Number("beta")))
            : throw c.Unfit("integers are not written"));
        One("addmv", c => Weighted(c, c.Add("MatMul", [c["mat"], c["vec"]])));
        One("addbmm", c => Weighted(c, c.Reduce("ReduceSum", c.Add("MatMul", [c["batch1"], c["batch2"]]), [0], false)));
        One("addr", c => Weighted(c, c.Times(c.Reshape(c["vec1"], [c.Shape[0], 1]), c.Reshape(c["vec2"], [1, c.Shape[1]]))));
        One("_linalg_det", c => c.Add("Det", [c["A"]]));
        One("_trilinear", c =>
        {
            string Wide(string name) => c.Call.Integers("expand" + name[1..]) is { Length: > 0 } dims ? c.Add("Unsqueeze", [c[name], c.Ints([.. dims])]) : c[name];
            var product = c.Times(c.Times(Wide("i1"), Wide("i2")), Wide("i3"));
            return c.Call.Integers("sumdim") is { Length: > 0 } sum ? c.Reduce("ReduceSum", product, [.. sum], false) : product;
        });
        One("_cdist_forward", Distances);
        One("linear", Linear);
        One("einsum", c => c.Add("Einsum", c.List("tensors"), ("equation", c.Call.Text("equation")!.Replace(" ", "", StringComparison.Ordinal))));
    }

    /// <summary>β·self + α·product.</summary>
    private static string Weighted(OnnxCall c, string product)
    {
        product = c.Call.Number("alpha") == 1 ? product : c.Times(product, c.Number(c.Call.Number("alpha")));
        return c.Call.Number("beta") == 0 ? product : c.Plus(c.Call.Number("beta") == 1 ? c["self"] : c.Times(c["self"], c.Number(c.Call.Number("beta"))), product);
    }

    /// <summary>From each row of the one to each of the other.</summary>
    private static string Distances(OnnxCall c)
    {
        var order = c.Call.Number("p");
        var difference = c.Minus(c.Add("Unsqueeze", [c["x1"], c.Ints(-2)]), c.Add("Unsqueeze", [c["x2"], c.Ints(-3)]));
        return Norm(c, difference, order, [-1L], false);
    }

    private static string Linear(OnnxCall c)
    {
        var (x, w) = (c["input"], c["weight"]);
        if (c.ShapeOf("weight").Count != 2)
        {
            return c.Add("MatMul", [x, w]);
        }

        if (c.ShapeOf("input").Count == 2 && c.Call.Has("bias"))
        {
            return c.Add("Gemm", [x, w, c["bias"]], ("transB", 1));
        }

        var y = c.Add("MatMul", [x, c.Transpose(w, 1, 0)]);
        return c.Call.Has("bias") ? c.Add("Add", [y, c["bias"]]) : y;
    }

    private static void Layers(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        One("convolution", c => Convolution(c, c.Call.Flag("transposed")));
        One("conv1d", c => Convolution(c, false));
        One("conv2d", c => Convolution(c, false));
        One("layer_norm", LayerNorm);
        foreach (var name in new[] { "batch_norm", "native_batch_norm", "_native_batch_norm_legit_functional", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit.no_stats" })
        {
            One(name, BatchNorm);
        }

        One("group_norm", c => GroupNorm(c, c.Call.Integer("num_groups")));
        One("native_group_norm", c => GroupNorm(c, c.Call.Integer("group")));
        One("native_layer_norm", LayerNorm);
        One("_fused_rms_norm", c =>
        {
            long[] axes = [.. Enumerable.Range(1, c.Call.Integers("normalized_shape")!.Value.Length).Select(d => -(long)d)];
            var mean = c.Reduce("ReduceMean", Squared(c, c.Self), axes, true);
            var y = c.Over(c.Self, c.Add("Sqrt", [c.Plus(mean, c.Number(c.Call.Has("eps") ? c.Call.Number("eps") : c.Type.DType == ScalarType.Float64 ? Math.BitIncrement(1.0) - 1 : MathF.BitIncrement(1) - 1))]));
            return c.Call.Has("weight") ? c.Times(y, c["weight"]) : y;
        });
    }

    private static string LayerNorm(OnnxCall c) => c.Add(
        "LayerNormalization",
        [c["input"], c.Call.Has("weight") ? c["weight"] : c.Emitter.Filled(1, c.Type with { Shape = [.. c.Call.Integers("normalized_shape")!.Value] }), c.Optional("bias")],
        ("axis", -c.Call.Integers("normalized_shape")!.Value.Length),
        ("epsilon", c.Call.Number("eps")));

    private static string BatchNorm(OnnxCall c)
    {
        var parameters = c.Node.Operator.Parameters;
        var (asks, keeps) = (parameters.Any(parameter => parameter.Name == "training"), parameters.Any(parameter => parameter.Name == "running_mean"));
        if (keeps && c.Call.Has("running_mean") && (!asks || !c.Call.Flag("training")))
        {
            var channels = c.Type with { Shape = [c.Shape[1]] };
            return c.Add(
                "BatchNormalization",
                [c["input"], c.Call.Has("weight") ? c["weight"] : c.Emitter.Filled(1, channels), c.Call.Has("bias") ? c["bias"] : c.Emitter.Filled(0, channels), c["running_mean"], c["running_var"]],
                ("epsilon", c.Call.Number("eps")));
        }

        if (keeps && c.Call.Has("running_mean"))
        {
            throw c.Unfit("statistics of the batch that are kept are not written; call eval() on the module before it is captured");
        }

        long[] axes = [.. Enumerable.Range(0, c.Shape.Count).Where(d => d != 1).Select(d => (long)d)];
        var centred = c.Minus(c["input"], c.Reduce("ReduceMean", c["input"], axes, true));
        var variance = c.Reduce("ReduceMean", Squared(c, centred), axes, true);
        return Scaled(c, c.Over(centred, c.Add("Sqrt", [c.Plus(variance, c.Number(c.Call.Number("eps")))])));
    }

    private static string GroupNorm(OnnxCall c, long count)
    {
        var groups = c.Type with { Shape = [count] };
        var y = c.Add(
            "InstanceNormalization",
            [c.Reshape(c["input"], [c.Shape[0], count, c.Shape.Elements / (c.Shape[0] * count)]), c.Emitter.Filled(1, groups), c.Emitter.Filled(0, groups)],
            ("epsilon", c.Call.Number("eps")));
        return Scaled(c, c.Reshape(y, c.Shape));
    }

    /// <summary>Each channel with its weight and bias, where they are given.</summary>
    private static string Scaled(OnnxCall c, string y)
    {
        Shape channels = [c.Shape[1], .. Enumerable.Repeat(1L, c.Shape.Count - 2)];
        y = c.Call.Has("weight") ? c.Times(y, c.Reshape(c["weight"], channels)) : y;
        return c.Call.Has("bias") ? c.Plus(y, c.Reshape(c["bias"], channels)) : y;
    }

    private static string Convolution(OnnxCall c, bool transposed)
    {
        var spatial = c.ShapeOf("weight").Count - 2;
        long[] Numbers(string parameter) => Inference.Expand(c.Call.Integers(parameter)!.Value, spatial);
        var padding = Numbers("padding");
        var attributes = new List<(string, object)>
        {
            ("strides", Numbers("stride")), ("pads", (long[])[.. padding, .. padding]), ("dilations", Numbers("dilation")), ("group", c.Call.Integer("groups")),
        };
        if (transposed)
        {
            attributes.Add(("output_padding", Numbers("output_padding")));
        }

        var batched = c.ShapeOf("input").Count == spatial + 2;
        var x = batched ? c["input"] : c.Reshape(c["input"], [1, .. c.ShapeOf("input")]);
        var y = c.Add(transposed ? "ConvTranspose" : "Conv", c.Call.Has("bias") ? [x, c["weight"], c["bias"]] : [x, c["weight"]], [.. attributes]);
        return batched ? y : c.Reshape(y, c.Shape);
    }
}
