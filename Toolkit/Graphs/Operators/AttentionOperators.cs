using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Scaled dot-product attention in ATen's layout (B, H, T, D).</summary>
internal static class AttentionOperators
{
    private const string Flash = "aten::_scaled_dot_product_flash_attention_for_cpu";

    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Definition.One(
            "aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
            OperatorKind.Other,
            call => Checked(call).Type("query") with { Shape = [.. call.Type("query").Shape.Take(call.Type("query").Shape.Count - 1), call.Type("value").Shape[^1]] },
            e => Attend(e, e["query"], e["key"], e["value"]));
        Definition.Many(
            Flash + "(Tensor query, Tensor key, Tensor value, float dropout_p=0.0, bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor output, Tensor logsumexp)",
            OperatorKind.Other,
            call =>
            {
                var q = Checked(call).Type("query");
                return [q, new(q.DType == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32, [.. q.Shape.Take(q.Shape.Count - 1)], q.Device)];
            },
            e => [Attend(e, e["query"], e["key"], e["value"]), LogSumExp(e)]);
        Definition.Many(
            Flash + "_backward(Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor logsumexp, float dropout_p, bool is_causal, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor grad_query, Tensor grad_key, Tensor grad_value)",
            OperatorKind.Other,
            call => [call.Type("query"), call.Type("key"), call.Type("value")],
            e => Definition.Gradients(t => Attend(e, t[0], t[1], t[2]), [e["query"], e["key"], e["value"]], e["grad_out"]));
    }

    private static OperatorCall Checked(OperatorCall call)
    {
        var (q, k, v) = (call.Type("query").Shape, call.Type("key").Shape, call.Type("value").Shape);
        Inference.Require(
            q.Count >= 2 && k.Count == q.Count && v.Count == q.Count && q[^1] == k[^1] && k[^2] == v[^2], call, "queries, keys and values do not fit together");
        return call;
    }

    private static Tensor Attend(Evaluation e, Tensor q, Tensor k, Tensor v)
    {
        if (e.Call.Has("scale"))
        {
            // TorchSharp's function divides by √D itself.
            q = q.mul(e.Number(e.Call.Number("scale") * Math.Sqrt(q.shape[^1])));
        }

        if (q.shape.Length > 2 && q.shape[^3] != k.shape[^3])
        {
            // Grouped heads: every key-value head serves several query heads that lie side by side.
            var group = q.shape[^3] / k.shape[^3];
            (k, v) = (k.repeat_interleave(group, -3), v.repeat_interleave(group, -3));
        }

        return nn.functional.scaled_dot_product_attention(q, k, v, e.Optional("attn_mask")!, e.Call.Number("dropout_p"), e.Flag("is_causal"));
    }

    private static Tensor LogSumExp(Evaluation e)
    {
        var type = e.Output(1).DType;
        var (q, k) = (e["query"].to(type), e["key"].to(type));
        var scores = q.matmul(k.transpose(-2, -1)).mul(e.Number(e.Call.Has("scale") ? e.Call.Number("scale") : 1 / Math.Sqrt(q.shape[^1])));
        if (e.Flag("is_causal"))
        {
            scores = scores.masked_fill(ones([q.shape[^2], k.shape[^2]], ScalarType.Bool, q.device).tril().logical_not(), e.Number(double.NegativeInfinity));
        }

        if (e.Optional("attn_mask") is { } mask)
        {
            scores = mask.dtype == ScalarType.Bool ? scores.masked_fill(mask.logical_not(), e.Number(double.NegativeInfinity)) : scores.add(mask, e.Number(1));
        }

        return scores.logsumexp(-1);
    }
}
