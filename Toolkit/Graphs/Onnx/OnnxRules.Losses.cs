using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Losses.</content>
internal static partial class OnnxRules
{
    private static void Losses(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        One("cross_entropy_loss", CrossEntropyOf);
        rules["toolkit::cross_entropy"] = c => [c.Cast(c.Add("SoftmaxCrossEntropyLoss", [c["logits"], c["targets"]], ("reduction", "mean")), c.Call.Type("logits").DType, c.Type.DType)];
        foreach (var name in new[] { "nll_loss", "nll_loss_forward", "nll_loss2d_forward", "nll_loss_nd" })
        {
            One(name, c => Likelihood(c, c["self"]));
        }

        One("l1_loss", c => OverAll(c, c.Add("Abs", [Difference(c)])));
        One("soft_margin_loss", c => OverAll(c, c.Add("Softplus", [c.Times(c.Add("Neg", [c["self"]]), c["target"])])));
        One("smooth_l1_loss", c => Smooth(c, c.Call.Number("beta"), c.Call.Number("beta") is 0 ? 1 : 1 / c.Call.Number("beta")));
        One("huber_loss", c => Smooth(c, c.Call.Number("delta"), 1));
        One("binary_cross_entropy", c =>
        {
            // The logarithms end at -100, as libtorch's do.
            string Logarithm(string x) => c.Add("Max", [c.Add("Log", [x]), c.Number(-100)]);
            var (x, y, one) = (c["self"], c["target"], c.Number(1));
            var loss = c.Add("Neg", [c.Plus(c.Times(y, Logarithm(x)), c.Times(c.Minus(one, y), Logarithm(c.Minus(one, x))))]);
            return OverAll(c, c.Call.Has("weight") ? c.Times(loss, c["weight"]) : loss);
        });
        One("binary_cross_entropy_with_logits", c =>
        {
            // (1 - y)·x + (1 + (p - 1)·y)·log(1 + e⁻ˣ)
            var (x, y, one) = (c["self"], c["target"], c.Number(1));
            var soft = c.Add("Softplus", [c.Add("Neg", [x])]);
            soft = c.Call.Has("pos_weight") ? c.Times(soft, c.Plus(one, c.Times(c.Minus(c["pos_weight"], one), y))) : soft;
            var loss = c.Plus(c.Times(c.Minus(one, y), x), soft);
            return OverAll(c, c.Call.Has("weight") ? c.Times(loss, c["weight"]) : loss);
        });
    }

    private static string CrossEntropyOf(OnnxCall c)
    {
        var (smoothing, classes) = (c.Call.Number("label_smoothing"), c.ShapeOf("self").Count == 1 ? 0 : 1);
        if (!TypePromotion.IsFloating(c.Call.Type("target").DType))
        {
            var logarithms = c.ShapeOf("self").Count > 1 ? c.Add("LogSoftmax", [c["self"]], ("axis", 1)) : throw c.Unfit("a batch is wanted");
            return smoothing == 0 ? Likelihood(c, logarithms) : Smoothed(c, logarithms, smoothing);
        }

        var count = c.ShapeOf("self")[classes];
        var target = smoothing == 0 ? c["target"] : c.Plus(c.Times(c["target"], c.Number(1 - smoothing)), c.Number(smoothing / count));
        var products = c.Times(c.Add("LogSoftmax", [c["self"]], ("axis", classes)), target);
        products = c.Call.Has("weight")
            ? c.Times(products, c.Reshape(c["weight"], [.. c.ShapeOf("self").Select((_, d) => d == classes ? count : 1)])) : products;
        var loss = c.Add("Neg", [c.Reduce("ReduceSum", products, [(long)classes], false)]);
        return c.Call.Integer("reduction") switch
        {
            0 => loss,
            1 => c.Over(OverAll(c, loss, 2), c.Number(c.ShapeOf("self").Elements / count)),
            _ => OverAll(c, loss, 2),
        };
    }

    /// <summary>A part of what is expected is the same for every class.</summary>
    private static string Smoothed(OnnxCall c, string logarithms, double smoothing)
    {
        if (c.Call.Has("weight"))
        {
            throw c.Unfit("smoothed labels with weights are not written");
        }

        var isCounted = c.Add("Not", [c.Add("Equal", [c["target"], c.Emitter.Integer(c.Call.Integer("ignore_index"))])]);
        var even = c.Add("Neg", [c.Where(isCounted, c.Reduce("ReduceMean", logarithms, [1L], false), c.Number(0))]);
        if (c.Call.Integer("reduction") is var how && how != 0)
        {
            even = OverAll(c, even, 2);
            even = how == 1 ? c.Over(even, OverAll(c, c.Cast(isCounted, ScalarType.Bool, c.Type.DType), 2)) : even;
        }

        return c.Plus(c.Times(Likelihood(c, logarithms), c.Number(1 - smoothing)), c.Times(even, c.Number(smoothing)));
    }

    private static string Likelihood(OnnxCall c, string logarithms) => c.Add(
        "NegativeLogLikelihoodLoss",
        c.Call.Has("weight") ? [logarithms, c["target"], c["weight"]] : [logarithms, c["target"]],
        ("ignore_index", c.Call.Integer("ignore_index")),
        ("reduction", c.Call.Integer("reduction") switch { 0 => "none", 1 => "mean", _ => "sum" }));

    private static string Difference(OnnxCall c) => c.Minus(c["self"], c["target"]);

    /// <summary>A square near zero, straight farther away.</summary>
    private static string Smooth(OnnxCall c, double bend, double scale)
    {
        var distance = c.Add("Abs", [Difference(c)]);
        if (bend == 0)
        {
            return OverAll(c, distance);
        }

        var near = c.Times(Squared(c, distance), c.Number(0.5 * scale));
        var far = c.Times(c.Minus(distance, c.Number(0.5 * bend)), c.Number(bend * scale));
        return OverAll(c, c.Where(c.Add("Less", [distance, c.Number(bend)]), near, far));
    }

    /// <summary>A loss at each place: as it is, in the mean, or in all.</summary>
    private static string OverAll(OnnxCall c, string loss, long? how = null) => (how ?? c.Call.Integer("reduction")) switch
    {
        0 => loss,
        1 => c.Add("ReduceMean", [loss], ("keepdims", 0)),
        _ => c.Add("ReduceSum", [loss], ("keepdims", 0)),
    };
}
