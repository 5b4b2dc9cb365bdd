namespace Toolkit.Graphs.Passes;

/// <content>Norms.</content>
internal static partial class DecompositionRules
{
    private static void Normalisations(Dictionary<string, Func<Parts, Value[]?>> rules)
    {
        rules["aten::layer_norm"] = p => LayerNorm(p) is var (y, _, _) ? [y] : null;
        rules["aten::native_layer_norm"] = p =>
        {
            var (y, mean, inverse) = LayerNorm(p);
            return [y, p.To(mean, p.Types[1].DType), p.To(inverse, p.Types[2].DType)];
        };
        rules["aten::native_layer_norm_backward"] = LayerNormBackward;
        rules["aten::rms_norm"] = p =>
        {
            if (!p.Call.Has("eps"))
            {
                return null;
            }

            var x = p.Wide(p["input"]);
            var y = p.Times(x, p.Map("rsqrt", p.Plus(p.Mean(p.Times(x, x), Trailing(p)), p.Number("eps"))));
            return [p.To(p.Optional("weight") is { } weight ? p.Times(y, weight) : y, p.Type.DType)];
        };
        rules["toolkit::rms_norm"] = p =>
        {
            var x = p.Wide(p["x"]);
            var y = p.Times(x, p.Map("rsqrt", p.Plus(p.Mean(p.Times(x, x), x.Type.Shape.Count - 1), p.Number("epsilon"))));
            return [p.Times(p["weight"], p.To(y, p["x"].Type.DType))];
        };
        rules["aten::batch_norm"] = p =>
        {
            if (p.Call.Flag("training"))
            {
                return null;
            }

            var x = p.Wide(p["input"]);
            Shape channels = [1, x.Type.Shape[1], .. Enumerable.Repeat(1L, x.Type.Shape.Count - 2)];
            Value Channel(Value value) => p.Reshape(p.Wide(value), channels);
            var y = p.Times(p.Minus(x, Channel(p["running_mean"])), p.Map("rsqrt", p.Plus(Channel(p["running_var"]), p.Number("eps"))));
            y = p.Optional("weight") is { } weight ? p.Times(y, Channel(weight)) : y;
            return [p.To(p.Optional("bias") is { } bias ? p.Plus(y, Channel(bias)) : y, p.Type.DType)];
        };
    }

    private static (Value Y, Value Mean, Value Inverse) LayerNorm(Parts p)
    {
        var (x, dims) = (p.Wide(p["input"]), Trailing(p));
        var mean = p.Mean(x, dims);
        var centred = p.Minus(x, mean);
        var inverse = p.Map("rsqrt", p.Plus(p.Mean(p.Times(centred, centred), dims), p.Number("eps")));
        var y = p.Times(centred, inverse);
        y = p.Optional("weight") is { } weight ? p.Times(y, p.Wide(weight)) : y;
        y = p.Optional("bias") is { } bias ? p.Plus(y, p.Wide(bias)) : y;
        return (p.To(y, p.Type.DType), mean, inverse);
    }

    /// <summary>With x̂ = (x - mean)·rstd and h = g·w: dx = rstd·(h - mean(h) - x̂·mean(h·x̂)), dw = Σ g·x̂, db = Σ g.</summary>
    private static Value[]? LayerNormBackward(Parts p)
    {
        var dims = Trailing(p);
        var (x, g) = (p.Wide(p["input"]), p.Wide(p["grad_out"]));
        var (mean, inverse, mask) = (p.Wide(p["mean"]), p.Wide(p["rstd"]), p.Call.Integers("output_mask")!.Value);
        var normalised = p.Times(p.Minus(x, mean), inverse);
        long[] outer = [.. Enumerable.Range(0, x.Type.Shape.Count - dims.Length).Select(d => (long)d)];
        Value Parameter(Value gradient, int index) => p.To(p.Reshape(outer.Length == 0 ? gradient : p.Sum(gradient, outer), p.Types[index].Shape), p.Types[index].DType);
        var h = p.Optional("weight") is { } weight ? p.Times(g, p.Wide(weight)) : g;
        return
        [
            mask[0] == 0 ? p.Full(p.Types[0], 0L) : p.To(p.Times(inverse, p.Minus(p.Minus(h, p.Mean(h, dims)), p.Times(normalised, p.Mean(p.Times(h, normalised), dims)))), p.Type.DType),
            mask[1] == 0 || !p.Call.Has("weight") ? p.Full(p.Types[1], 0L) : Parameter(p.Times(g, normalised), 1),
            mask[2] == 0 || !p.Call.Has("bias") ? p.Full(p.Types[2], 0L) : Parameter(g, 2),
        ];
    }

    private static long[] Trailing(Parts p)
    {
        var (rank, count) = (p["input"].Type.Shape.Count, p.Call.Integers("normalized_shape")!.Value.Length);
        return [.. Enumerable.Range(rank - count, count).Select(d => (long)d)];
    }
}
