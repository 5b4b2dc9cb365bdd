using Toolkit.Ops;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>The operations of a transformer that the toolkit knows whole, in its own layout (B, T, H, D).</summary>
internal static class EngineOperators
{
    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Definition.One(
            "toolkit::rms_norm(Tensor x, Tensor weight, float epsilon) -> Tensor",
            OperatorKind.Reduction,
            call =>
            {
                var (x, weight) = (call.Type("x"), call.Type("weight"));
                Inference.Require(weight.Shape.Count == 1 && x.Shape.Count > 0 && x.Shape[^1] == weight.Shape[0], call, "weights for the last dimension are wanted");
                return x with { DType = TypePromotion.Of(call, "x", "weight") };
            },
            e => RmsNorm.Apply(e["x"].contiguous(), e["weight"].contiguous(), e.Call.Number("epsilon")));
        Definition.One(
            "toolkit::rotary(Tensor x, Tensor cos, Tensor sin) -> Tensor",
            OperatorKind.Other,
            call =>
            {
                var (x, cos) = (call.Type("x"), call.Type("cos"));
                Inference.Require(
                    x.Shape.Count == 4 && cos.Shape == call.Type("sin").Shape && cos.Shape.Count is 3 or 4 && 2 * cos.Shape[^1] <= x.Shape[^1], call, "vectors (B, T, H, D) and angles (T, 1, R/2) are wanted");
                return x with { DType = TypePromotion.Of(call, "x", "cos", "sin") };
            },
            e => RotaryEmbedding.Apply(e["x"].contiguous(), e["cos"].contiguous(), e["sin"].contiguous()));
        Definition.One(
            "toolkit::attention(Tensor q, Tensor k, Tensor v, Tensor? mask=None, float? scale=None, float? soft_cap=None) -> Tensor",
            OperatorKind.Other,
            call =>
            {
                var (q, k, v) = (call.Type("q"), call.Type("k"), call.Type("v"));
                Inference.Require(
                    q.Shape.Count == 4 && k.Shape.Count == 4 && v.Shape.Count == 4 && q.Shape[3] == k.Shape[3] && k.Shape[1] == v.Shape[1] && k.Shape[2] == v.Shape[2] && q.Shape[2] % k.Shape[2] == 0,
                    call,
                    "queries (B, T, H, D), keys and values (B, S, Hkv, D) are wanted");
                return q with { Shape = [q.Shape[0], q.Shape[1], q.Shape[2], v.Shape[3]] };
            },
            e => Attention.Apply(e["q"], e["k"], e["v"], e.Optional("mask"), Optional(e, "scale"), Optional(e, "soft_cap")));
        Definition.One(
            "toolkit::swiglu(Tensor gate, Tensor up) -> Tensor",
            OperatorKind.Pointwise,
            call =>
            {
                Inference.Require(call.Type("gate") == call.Type("up"), call, "two tensors of one type are wanted");
                return call.Type("gate");
            },
            e => SwiGlu.Apply(e["gate"].contiguous(), e["up"].contiguous()));
        Definition.One(
            "toolkit::cross_entropy(Tensor logits, Tensor targets) -> Tensor",
            OperatorKind.Reduction,
            call => Loss(call, "logits"),
            e => CrossEntropy.Reference(e["logits"], e["targets"]));
        Definition.One(
            "toolkit::cross_entropy_of_head(Tensor hidden, Tensor weight, Tensor targets) -> Tensor",
            OperatorKind.Product,
            call => Loss(call, "hidden"),
            e => CrossEntropy.OfHead(e["hidden"].contiguous(), e["weight"].contiguous(), e["targets"].contiguous()));
    }

    private static TensorType Loss(OperatorCall call, string rows)
    {
        var type = call.Type(rows);
        Inference.Require(type.Shape.Count == 2 && call.Type("targets").Shape.Count == 1 && type.Shape[0] == call.Type("targets").Shape[0], call, "rows and targets do not fit");
        return new(ScalarType.Float32, [], type.Device);
    }

    private static double? Optional(Evaluation e, string parameter) => e.Call.Has(parameter) ? e.Call.Number(parameter) : null;
}
