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
        One("linear", Linear);
        One("einsum", c => c.Add("Einsum", c.List("tensors"), ("equation", c.Call.Text("equation")!.Replace(" ", "", StringComparison.Ordinal))));
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
        One("max_pool2d", c => Pool(c, "MaxPool", ("dilations", Inference.Expand(c.Call.Integers("dilation")!.Value, 2))));
        One("avg_pool2d", c => c.Call.Has("divisor_override") ? throw c.Unfit("a divisor of its own is not written") : Pool(c, "AveragePool", ("count_include_pad", c.Call.Flag("count_include_pad"))));
        One("adaptive_avg_pool2d", AdaptivePool);
        One("_adaptive_avg_pool2d", AdaptivePool);
        One("upsample_nearest2d", c => c.Add(
            "Resize", [c["self"], "", "", c.Ints(c.Shape.ToArray())], ("mode", "nearest"), ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")));
        One("layer_norm", c => c.Add(
            "LayerNormalization",
            [c["input"], c.Call.Has("weight") ? c["weight"] : c.Emitter.Filled(1, c.Type with { Shape = [.. c.Call.Integers("normalized_shape")!.Value] }), c.Optional("bias")],
            ("axis", -c.Call.Integers("normalized_shape")!.Value.Length),
            ("epsilon", c.Call.Number("eps"))));
        One("batch_norm", c =>
        {
            var channels = c.Type with { Shape = [c.Shape[1]] };
            return c.Call.Flag("training") || !c.Call.Has("running_mean")
                ? throw c.Unfit("statistics of the batch are not written; call eval() on the module before it is captured")
                : c.Add(
                    "BatchNormalization",
                    [c["input"], c.Call.Has("weight") ? c["weight"] : c.Emitter.Filled(1, channels), c.Call.Has("bias") ? c["bias"] : c.Emitter.Filled(0, channels), c["running_mean"], c["running_var"]],
                    ("epsilon", c.Call.Number("eps")));
        });
        One("group_norm", c =>
        {
            var groups = c.Type with { Shape = [c.Call.Integer("num_groups")] };
            Shape channels = [c.Shape[1], .. Enumerable.Repeat(1L, c.Shape.Count - 2)];
            var y = c.Add(
                "InstanceNormalization",
                [c.Reshape(c["input"], [c.Shape[0], groups.Shape[0], c.Shape.Elements / (c.Shape[0] * groups.Shape[0])]), c.Emitter.Filled(1, groups), c.Emitter.Filled(0, groups)],
                ("epsilon", c.Call.Number("eps")));
            y = c.Reshape(y, c.Shape);
            y = c.Call.Has("weight") ? c.Add("Mul", [y, c.Reshape(c["weight"], channels)]) : y;
            return c.Call.Has("bias") ? c.Add("Add", [y, c.Reshape(c["bias"], channels)]) : y;
        });
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

    private static string Pool(OnnxCall c, string op, (string Name, object Value) more)
    {
        var kernel = Inference.Expand(c.Call.Integers("kernel_size")!.Value, 2);
        var padding = Inference.Expand(c.Call.Integers("padding")!.Value, 2);
        var stride = c.Call.Integers("stride") is { Length: > 0 } given ? Inference.Expand(given, 2) : kernel;
        return Planes(c, x => c.Add(op, [x], ("kernel_shape", kernel), ("strides", stride), ("pads", (long[])[.. padding, .. padding]), ("ceil_mode", c.Call.Flag("ceil_mode")), more));
    }

    private static string AdaptivePool(OnnxCall c)
    {
        var (from, to) = (c.ShapeOf("self"), c.Shape);
        if (from[^1] % to[^1] != 0 || from[^2] % to[^2] != 0)
        {
            throw c.Unfit($"windows of different sizes ({from} to {to}) are not written");
        }

        long[] window = [from[^2] / to[^2], from[^1] / to[^1]];
        return Planes(c, x => c.Add("AveragePool", [x], ("kernel_shape", window), ("strides", window)));
    }

    /// <summary>ONNX wants a batch of planes.</summary>
    private static string Planes(OnnxCall c, Func<string, string> pool) =>
        c.Shape.Count == 4 ? pool(c["self"]) : c.Reshape(pool(c.Reshape(c["self"], [1, .. c.ShapeOf("self")])), c.Shape);
}
