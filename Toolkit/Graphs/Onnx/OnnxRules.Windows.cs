using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>What looks at windows of planes: pools, paddings, other sizes.</content>
internal static partial class OnnxRules
{
    private static void Windows(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        for (var n = 1; n <= 3; n++)
        {
            var spatial = n;
            One($"max_pool{n}d", c => Pool(c, spatial, "MaxPool")[0]);
            rules[$"aten::max_pool{n}d_with_indices"] = c => PoolWithPlaces(c, spatial);
            One($"avg_pool{n}d", c => MeanPool(c, spatial));
            foreach (var prefix in new[] { "", "_" })
            {
                One($"{prefix}adaptive_avg_pool{n}d", c => AdaptiveMean(c, spatial));
            }

            One($"adaptive_max_pool{n}d", c => AdaptiveMost(c, spatial));
            One($"reflection_pad{n}d", c => c.Add("Pad", [c["self"], c.Ints(Pads(c, "padding"))], ("mode", "reflect")));
            One($"replication_pad{n}d", c => c.Add("Pad", [c["self"], c.Ints(Pads(c, "padding"))], ("mode", "edge")));
            One($"upsample_nearest{n}d", c => Resized(c, "nearest", "asymmetric", ("nearest_mode", "floor")));
            One($"_upsample_nearest_exact{n}d", c => Resized(c, "nearest", "half_pixel", ("nearest_mode", "round_prefer_ceil")));
        }

        foreach (var (name, mode) in new[] { ("linear1d", "linear"), ("bilinear2d", "linear"), ("trilinear3d", "linear"), ("bicubic2d", "cubic") })
        {
            One("upsample_" + name, c => Resized(c, mode, c.Call.Flag("align_corners") ? "align_corners" : "half_pixel", ("cubic_coeff_a", -0.75)));
        }

        One("grid_sampler_2d", c => c.Add(
            "GridSample",
            [c["input"], c["grid"]],
            ("mode", c.Call.Integer("interpolation_mode") switch { 0 => "bilinear", 1 => "nearest", _ => "bicubic" }),
            ("padding_mode", c.Call.Integer("padding_mode") switch { 0 => "zeros", 1 => "border", _ => "reflection" }),
            ("align_corners", c.Call.Flag("align_corners"))));
        One("pixel_shuffle", c => Shuffled(c, c.Call.Integer("upscale_factor")));
        One("pixel_unshuffle", c =>
        {
            // Plane by plane: ONNX puts the places of a block before the planes.
            var from = c.ShapeOf("self");
            var planes = c.Reshape(c["self"], [from.Elements / (from[^2] * from[^1]), 1, from[^2], from[^1]]);
            return c.Reshape(c.Add("SpaceToDepth", [planes], ("blocksize", c.Call.Integer("downscale_factor"))), c.Shape);
        });
        One("im2col", Columns);
        One("col2im", c =>
        {
            long[] Numbers(string parameter) => Inference.Expand(c.Call.Integers(parameter)!.Value, 2);
            var (batched, padding) = (c.Shape.Count == 4, Numbers("padding"));
            var x = batched ? c["self"] : c.Reshape(c["self"], [1, .. c.ShapeOf("self")]);
            var y = c.Add(
                "Col2Im",
                [x, c.Ints(Numbers("output_size")), c.Ints(Numbers("kernel_size"))],
                ("dilations", Numbers("dilation")), ("pads", (long[])[.. padding, .. padding]), ("strides", Numbers("stride")));
            return batched ? y : c.Reshape(y, c.Shape);
        });
    }

    private static string[] Pool(OnnxCall c, int spatial, string op, int outputs = 1, params (string, object)[] more)
    {
        long[] Numbers(string parameter) => Inference.Expand(c.Call.Integers(parameter)!.Value, spatial);
        var (kernel, padding) = (Numbers("kernel_size"), Numbers("padding"));
        var stride = c.Call.Integers("stride") is { Length: > 0 } ? Numbers("stride") : kernel;
        var batched = c.Shape.Count == spatial + 2;
        (string, object)[] attributes =
        [
            ("kernel_shape", kernel), ("strides", stride), ("pads", (long[])[.. padding, .. padding]), ("ceil_mode", c.Call.Flag("ceil_mode")), .. more,
        ];
        attributes = op == "MaxPool" ? [.. attributes, ("dilations", Numbers("dilation"))] : attributes;
        var pooled = c.Emitter.Add(op, [batched ? c["self"] : c.Reshape(c["self"], [1, .. c.ShapeOf("self")])], outputs, attributes);
        return batched ? pooled : [.. pooled.Select(name => c.Reshape(name, c.Shape))];
    }

    /// <summary>ONNX counts places through all planes.</summary>
    private static string[] PoolWithPlaces(OnnxCall c, int spatial)
    {
        var pooled = Pool(c, spatial, "MaxPool", 2);
        var plane = c.ShapeOf("self").TakeLast(spatial).Aggregate(1L, (n, size) => n * size);
        return [pooled[0], c.Add("Mod", [pooled[1], c.Emitter.Integer(plane)])];
    }

    private static string MeanPool(OnnxCall c, int spatial)
    {
        var hasDivisor = spatial > 1 && c.Call.Has("divisor_override");
        var mean = Pool(c, spatial, "AveragePool", 1, ("count_include_pad", hasDivisor || c.Call.Flag("count_include_pad")))[0];
        return hasDivisor
            ? c.Times(mean, c.Number(Inference.Expand(c.Call.Integers("kernel_size")!.Value, spatial).Aggregate(1.0, (n, size) => n * size) / c.Call.Integer("divisor_override")))
            : mean;
    }

    /// <summary>Windows that lie as evenly as they can: from ⌊i·n/m⌋ to ⌈(i+1)·n/m⌉.</summary>
    private static (long From, long To)[] Even(long from, long to) => [.. Enumerable.Range(0, (int)to).Select(i => (i * from / to, (((i + 1) * from) + to - 1) / to))];

    private static string AdaptiveMean(OnnxCall c, int spatial)
    {
        var (from, to, rank) = (c.ShapeOf("self"), c.Shape, c.Shape.Count);
        if (to.TakeLast(spatial).All(size => size == 1))
        {
            return c.Reduce("ReduceMean", c["self"], Enumerable.Range(rank - spatial, spatial).Select(d => (long)d), true);
        }

        long[] sizes = [.. Enumerable.Range(rank - spatial, spatial).Where(d => from[d] % to[d] == 0).Select(d => from[d] / to[d])];
        if (sizes.Length == spatial)
        {
            var batched = rank == spatial + 2;
            var pooled = c.Add("AveragePool", [batched ? c["self"] : c.Reshape(c["self"], [1, .. from])], ("kernel_shape", sizes), ("strides", sizes));
            return batched ? pooled : c.Reshape(pooled, to);
        }

        // Windows of different sizes: a product along each dimension.
        var x = c["self"];
        for (var d = rank - spatial; d < rank; d++)
        {
            using var scope = NewDisposeScope();
            var weights = zeros([from[d], to[d]], ScalarType.Float64);
            foreach (var ((begin, end), i) in Even(from[d], to[d]).Select((window, i) => (window, i)))
            {
                using var share = (1.0 / (end - begin)).ToScalar();
                weights.slice(0, begin, end, 1).slice(1, i, i + 1, 1).fill_(share);
            }

            var order = Swapped(rank, d, rank - 1).Select(place => (int)place).ToArray();
            x = Ordered(c, c.Add("MatMul", [Ordered(c, x, order), c.Constant(weights.to(c.Type.DType))]), order);
        }

        return x;
    }

    private static string AdaptiveMost(OnnxCall c, int spatial)
    {
        var (x, rank) = (c["self"], c.Shape.Count);
        for (var d = rank - spatial; d < rank; d++)
        {
            var (from, dim) = (x, d);
            x = c.Join(dim, Even(c.ShapeOf("self")[dim], c.Shape[dim]).Select(window => c.Reduce("ReduceMax", c.Slice(from, dim, window.From, window.To), [(long)dim], true)));
        }

        return x;
    }

    /// <summary>Another size: by the factors that the program gave, else by the sizes.</summary>
    private static string Resized(OnnxCall c, string mode, string coordinates, (string, object) more)
    {
        using var scope = NewDisposeScope();
        var factors = c.Node.Operator.Parameters.Where(parameter => parameter.Name.StartsWith("scales", StringComparison.Ordinal)).Select(parameter => parameter.Name).ToArray();
        var isScaled = Array.TrueForAll(factors, c.Call.Has) && coordinates != "align_corners";
        var scales = isScaled ? c.Constant(tensor([1f, 1f, .. factors.Select(name => (float)c.Call.Number(name))])) : "";
        return c.Add("Resize", isScaled ? [c["self"], "", scales] : [c["self"], "", "", c.Ints(c.Shape.ToArray())], ("mode", mode), ("coordinate_transformation_mode", coordinates), more);
    }

    private static string Shuffled(OnnxCall c, long factor)
    {
        var from = c.ShapeOf("self");
        var planes = c.Reshape(c["self"], [from.Elements / (from[^3] * from[^2] * from[^1]), from[^3], from[^2], from[^1]]);
        return c.Reshape(c.Add("DepthToSpace", [planes], ("blocksize", factor), ("mode", "CRD")), c.Shape);
    }

    /// <summary>Every window as a column.</summary>
    private static string Columns(OnnxCall c)
    {
        long[] Numbers(string parameter) => Inference.Expand(c.Call.Integers(parameter)!.Value, 2);
        var (kernel, dilation, padding, stride, from) = (Numbers("kernel_size"), Numbers("dilation"), Numbers("padding"), Numbers("stride"), c.ShapeOf("self"));
        var batched = from.Count == 4;
        var x = batched ? c["self"] : c.Reshape(c["self"], [1, .. from]);
        x = c.Add("Pad", [x, c.Ints(0, 0, padding[0], padding[1], 0, 0, padding[0], padding[1])]);
        for (var i = 0; i < 2; i++)
        {
            var count = ((from[from.Count - 2 + i] + (2 * padding[i]) - (dilation[i] * (kernel[i] - 1)) - 1) / stride[i]) + 1;
            var (step, gap) = (stride[i], dilation[i]);
            var places = c.Constant(OnnxCall.Counting(kernel[i]).SelectMany(row => OnnxCall.Counting(count).Select(window => (row * gap) + (window * step))), kernel[i], count);
            x = c.Add("Gather", [x, places], ("axis", 2 + (2 * i)));
        }

        return c.Reshape(c.Transpose(x, 0, 1, 2, 4, 3, 5), c.Shape); // (B, C, kernel, kernel, rows, columns)
    }
}
