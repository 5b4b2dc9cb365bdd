using static TorchSharp.torch;

namespace Toolkit.Graphs.Passes;

/// <summary>What operators consist of. A rule returns null where it does not know the case. Half-precision numbers are computed with as float32, as libtorch's kernels do.</summary>
internal static partial class DecompositionRules
{
    /// <summary>The rules by operator.</summary>
    public static readonly Dictionary<string, Func<Parts, Value[]?>> All = Rules();

    private static Dictionary<string, Func<Parts, Value[]?>> Rules()
    {
        var rules = new Dictionary<string, Func<Parts, Value[]?>>(StringComparer.Ordinal);
        Activations(rules);
        Arithmetic(rules);
        Gradients(rules);
        Normalisations(rules);
        Products(rules);
        Lists(rules);
        return rules;
    }

    private static void Activations(Dictionary<string, Func<Parts, Value[]?>> rules)
    {
        void Function(string name, Func<Parts, Value, Value> f) => rules["aten::" + name] = p => [p.To(f(p, p.Wide(p["self"])), p.Type.DType)];
        Function("silu", (p, x) => p.Times(x, p.Map("sigmoid", x)));
        Function("gelu", (p, x) => p.Times(p.Times(x, 0.5), p.Plus(p.Call.Text("approximate") == "tanh" ? p.Map("tanh", Inner(p, x)) : p.Map("erf", p.Times(x, Math.Sqrt(0.5))), 1)));
        Function("hardsigmoid", (p, x) => p.Times(p.Add("aten::clamp", p.Plus(x, 3), 0L, 6L), 1 / 6.0));
        Function("hardswish", (p, x) => p.Times(p.Times(x, p.Add("aten::clamp", p.Plus(x, 3), 0L, 6L)), 1 / 6.0));
        Function("mish", (p, x) => p.Times(x, p.Map("tanh", SoftPlus(p, x, 1, 20))));
        Function("softplus", (p, x) => SoftPlus(p, x, p.Number("beta"), p.Number("threshold")));
        Function("leaky_relu", (p, x) => p.Add("aten::where.self", p.Add("aten::gt.Scalar", x, 0L), x, p.Times(x, p.Number("negative_slope"))));
        Function("elu", (p, x) =>
        {
            var (alpha, scale) = (p.Number("alpha"), p.Number("scale"));
            return p.Add("aten::where.self", p.Add("aten::gt.Scalar", x, 0L), p.Times(x, scale), p.Times(p.Map("expm1", p.Times(x, p.Number("input_scale"))), alpha * scale));
        });
        rules["aten::hardtanh"] = p => [p.Add("aten::clamp", p["self"], p.Argument("min_val"), p.Argument("max_val"))];
        foreach (var name in new[] { "aten::softmax.int", "aten::_softmax" })
        {
            rules[name] = p =>
            {
                var (x, dim) = (Converted(p), Dimension(p, "self"));
                var e = p.Map("exp", p.Minus(x, p.Most(x, dim)));
                return [p.To(p.Over(e, p.Sum(e, dim)), p.Type.DType)];
            };
        }

        foreach (var name in new[] { "aten::log_softmax.int", "aten::_log_softmax" })
        {
            rules[name] = p =>
            {
                var (x, dim) = (Converted(p), Dimension(p, "self"));
                var z = p.Minus(x, p.Most(x, dim));
                return [p.To(p.Minus(z, p.Map("log", p.Sum(p.Map("exp", z), dim))), p.Type.DType)];
            };
        }

        rules["toolkit::swiglu"] = p =>
        {
            // As the definition: silu is rounded to the type before the product.
            var gate = p.Wide(p["gate"]);
            return [p.Times(p.To(p.Times(gate, p.Map("sigmoid", gate)), p.Type.DType), p["up"])];
        };
    }

    private static void Arithmetic(Dictionary<string, Func<Parts, Value[]?>> rules)
    {
        rules["aten::rsub.Tensor"] = p => [p.Add("aten::sub.Tensor", p["other"], p["self"], p.Argument("alpha"))];
        rules["aten::rsub.Scalar"] = p => p.Number("alpha") == 1 ? [p.Add("aten::add.Scalar", p.Map("neg", p["self"]), p.Argument("other"))] : null;
        rules["aten::clamp_min"] = p => [p.Add("aten::clamp", p["self"], p.Argument("min"))];
        rules["aten::clamp_max"] = p => [p.Add("aten::clamp", p["self"], NoArgument.Instance, p.Argument("max"))];
        rules["aten::masked_fill.Scalar"] = p => [p.Add("aten::where.ScalarSelf", p["mask"], p.Argument("value"), p["self"])];
        rules["aten::addcmul"] = p => Floating(p, (s, a, b) => p.Plus(s, p.Times(p.Times(a, p.Number("value")), b)));
        rules["aten::addcdiv"] = p => Floating(p, (s, a, b) => p.Plus(s, p.Over(p.Times(a, p.Number("value")), b)));
        rules["aten::lerp.Scalar"] = p =>
        {
            var (s, e, w) = (p.Wide(p["self"]), p.Wide(p["end"]), p.Number("weight"));
            var difference = p.Minus(e, s);
            return [p.To(w < 0.5 ? p.Plus(s, p.Times(difference, w)) : p.Minus(e, p.Times(difference, 1 - w)), p.Type.DType)];
        };
        rules["aten::mean.dim"] = p =>
        {
            var x = p.Wide(p.To(p["self"], p.Call.DataType("dtype") ?? p["self"].Type.DType));
            return [p.To(p.Reshape(p.Mean(x, Dimensions(p)), p.Type.Shape), p.Type.DType)];
        };
        rules["aten::var.correction"] = p => [Variance(p)];
        rules["aten::std.correction"] = p => [p.Map("sqrt", Variance(p))];
        rules["aten::mse_loss"] = p =>
        {
            var difference = p.Minus(p["self"], p["target"]);
            var squares = p.Times(difference, difference);
            long[] all = [.. Enumerable.Range(0, squares.Type.Shape.Count).Select(d => (long)d)];
            return p.Call.Integer("reduction") switch
            {
                0 => [squares],
                1 => [p.Reshape(p.Mean(squares, all), [])],
                _ => [p.Add("aten::sum", squares)],
            };
        };
    }

    private static void Gradients(Dictionary<string, Func<Parts, Value[]?>> rules)
    {
        void Function(string name, Func<Parts, Value, Value, Value> f, string other = "self") =>
            rules["aten::" + name] = p => p["grad_output"].Type == p[other].Type ? [p.To(f(p, p.Wide(p["grad_output"]), p.Wide(p[other])), p.Type.DType)] : null;
        Function("tanh_backward", (p, g, y) => p.Times(g, p.Rest(p.Times(y, y))), "output");
        Function("sigmoid_backward", (p, g, y) => p.Times(p.Times(g, p.Rest(y)), y), "output");
        Function("threshold_backward", (p, g, x) => p.Where(p.Add("aten::le.Scalar", x, p.Argument("threshold")), 0, g));
        Function("silu_backward", (p, g, x) =>
        {
            var s = p.Map("sigmoid", x);
            return p.Times(p.Times(g, s), p.Plus(p.Times(x, p.Rest(s)), 1));
        });
        Function("gelu_backward", (p, g, x) =>
        {
            if (p.Call.Text("approximate") == "tanh")
            {
                var t = p.Map("tanh", Inner(p, x));
                var slope = p.Times(p.Plus(p.Times(p.Times(x, x), 3 * 0.044715), 1), Math.Sqrt(2 / Math.PI));
                return p.Times(g, p.Times(p.Plus(p.Plus(t, 1), p.Times(p.Times(x, p.Rest(p.Times(t, t))), slope)), 0.5));
            }

            var distribution = p.Times(p.Plus(p.Map("erf", p.Times(x, Math.Sqrt(0.5))), 1), 0.5);
            var density = p.Times(p.Map("exp", p.Times(p.Times(x, x), -0.5)), 1 / Math.Sqrt(2 * Math.PI));
            return p.Times(g, p.Plus(distribution, p.Times(x, density)));
        });
        rules["aten::_softmax_backward_data"] = p =>
        {
            var (g, y, dim) = (p.Wide(p["grad_output"]), p.Wide(p["output"]), Dimension(p, "grad_output"));
            var product = p.Times(g, y);
            return [p.To(p.Minus(product, p.Times(y, p.Sum(product, dim))), p.Type.DType)];
        };
        rules["aten::_log_softmax_backward_data"] = p =>
        {
            var (g, y, dim) = (p.Wide(p["grad_output"]), p.Wide(p["output"]), Dimension(p, "grad_output"));
            return [p.To(p.Minus(g, p.Times(p.Map("exp", y), p.Sum(g, dim))), p.Type.DType)];
        };
        rules["aten::native_dropout_backward"] = p => [p.Times(p.Times(p["grad_output"], p["mask"]), p.Number("scale"))];
    }

    private static void Products(Dictionary<string, Func<Parts, Value[]?>> rules)
    {
        rules["aten::addmm"] = p => Added(p, () => p.Add("aten::mm", p["mat1"], p["mat2"]));
        rules["aten::baddbmm"] = p => Added(p, () => p.Add("aten::bmm", p["batch1"], p["batch2"]));
        rules["aten::linear"] = p =>
        {
            var (x, w) = (p["input"], p["weight"]);
            if (w.Type.Shape.Count != 2 || x.Type.DType is ScalarType.BFloat16 or ScalarType.Float16)
            {
                // Half precision adds the bias before it rounds: the product stays whole.
                return null;
            }

            var rows = x.Type.Elements / x.Type.Shape[^1];
            var y = p.Add("aten::mm", p.Reshape(x, [rows, x.Type.Shape[^1]]), p.Add("aten::permute", w, new long[] { 1, 0 }));
            y = p.Reshape(y, p.Type.Shape);
            return [p.Optional("bias") is { } bias ? p.Plus(y, bias) : y];
        };
        rules["aten::matmul"] = MatMul;
    }

    private static void Lists(Dictionary<string, Func<Parts, Value[]?>> rules)
    {
        rules["aten::embedding"] = p =>
            [p.Reshape(p.Add("aten::index_select", p["weight"], 0L, p.Reshape(p["indices"], [p["indices"].Type.Elements])), p.Type.Shape)];
        rules["aten::stack"] = p =>
        {
            var dim = Inference.Dimension(p.Call, p.Call.Integer("dim"), p.Type.Shape.Count);
            return [p.Add("aten::cat", (Value[])[.. p.Call.Values.Select(value => p.Reshape(value, Inference.With(p.Type.Shape, dim, 1)))], (long)dim)];
        };
        rules["aten::unbind.int"] = p =>
        {
            var dim = Dimension(p, "self");
            return [.. p.Types.Select((_, i) => p.Add("aten::select.int", p["self"], dim, (long)i))];
        };
        foreach (var name in new[] { "aten::split.Tensor", "aten::split_with_sizes", "aten::split.sizes", "aten::chunk" })
        {
            rules[name] = p =>
            {
                var (dim, start) = ((int)Dimension(p, "self"), 0L);
                return [.. p.Types.Select(type => p.Slice(p["self"], dim, start, start += type.Shape[dim]))];
            };
        }
    }

    private static Value[]? MatMul(Parts p)
    {
        var (a, b) = (p["self"], p["other"]);
        var (x, y) = (a.Type.Shape, b.Type.Shape);
        if (x.Count == 1 || y.Count == 1)
        {
            // A vector is a matrix of one row on the left, of one column on the right.
            a = x.Count == 1 ? p.Reshape(a, [1, x[0]]) : a;
            b = y.Count == 1 ? p.Reshape(b, [y[0], 1]) : b;
            return [p.Reshape(p.Add("aten::matmul", a, b), p.Type.Shape)];
        }

        if (y.Count == 2)
        {
            var rows = a.Type.Elements / Math.Max(1, x[^1]);
            return x[^1] == 0 ? null : [p.Reshape(p.Add("aten::mm", p.Reshape(a, [rows, x[^1]]), b), p.Type.Shape)];
        }

        Shape batch = [.. p.Type.Shape.Take(p.Type.Shape.Count - 2)];
        Value Batched(Value value)
        {
            var shape = value.Type.Shape;
            Shape whole = [.. batch, shape[^2], shape[^1]];
            return p.Reshape(whole == shape ? value : p.Add("aten::expand", value, whole), [batch.Elements, shape[^2], shape[^1]]);
        }

        return [p.Reshape(p.Add("aten::bmm", Batched(a), Batched(b)), p.Type.Shape)];
    }

    private static Value[]? Added(Parts p, Func<Value> product)
    {
        if (p.Type.DType is ScalarType.BFloat16 or ScalarType.Float16 || TypePromotion.IsIntegral(p.Type.DType))
        {
            return null;
        }

        var whole = p.Times(product(), p.Number("alpha"));
        return [p.Number("beta") == 0 ? whole : p.Plus(p.Times(p["self"], p.Number("beta")), whole)];
    }

    private static Value Variance(Parts p)
    {
        var (x, dims) = (p.Wide(p["self"]), Dimensions(p));
        var centred = p.Minus(x, p.Mean(x, dims));
        var count = dims.Aggregate(1.0, (n, d) => n * x.Type.Shape[(int)d]);
        var freedom = Math.Max(0, count - (p.Call.Has("correction") ? p.Number("correction") : 1));
        return p.To(p.Reshape(p.Times(p.Sum(p.Times(centred, centred), dims), 1 / freedom), p.Type.Shape), p.Type.DType);
    }

    private static Value[]? Floating(Parts p, Func<Value, Value, Value, Value> f) => TypePromotion.IsIntegral(p.Type.DType)
        ? null
        : [p.To(f(p.Wide(p["self"]), p.Wide(p["tensor1"]), p.Wide(p["tensor2"])), p.Type.DType)];

    /// <summary>√(2/π)·(x + 0.044715·x³).</summary>
    private static Value Inner(Parts p, Value x) => p.Times(p.Times(x, p.Plus(p.Times(p.Times(x, x), 0.044715), 1)), Math.Sqrt(2 / Math.PI));

    /// <summary>log(1 + e^βx)/β; x itself above the threshold.</summary>
    private static Value SoftPlus(Parts p, Value x, double beta, double threshold)
    {
        var scaled = p.Times(x, beta);
        return p.Add("aten::where.self", p.Add("aten::gt.Scalar", scaled, threshold), x, p.Times(p.Map("log1p", p.Map("exp", scaled)), 1 / beta));
    }

    /// <summary>The input of a softmax in the type in which it is computed.</summary>
    private static Value Converted(Parts p) => p.Wide(p.To(p["self"], p.Type.DType));

    private static long Dimension(Parts p, string tensor) => Inference.Dimension(p.Call, "dim", p[tensor].Type.Shape.Count);

    private static long[] Dimensions(Parts p) => [.. Inference.Dimensions(p.Call, "dim", p["self"].Type.Shape.Count).Select(d => (long)d)];
}
