using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Losses and their gradients. A reduction is 0 for none, 1 for the mean, 2 for the sum.</summary>
internal static class LossOperators
{
    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Likelihood();
        Differences();
        Binary();
    }

    private static void Likelihood()
    {
        Definition.Many(
            "aten::nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index) -> (Tensor output, Tensor total_weight)",
            OperatorKind.Other,
            call =>
            {
                var self = call.Type("self");
                Inference.Require(self.Shape.Count is 1 or 2 && call.Type("target").Elements == (self.Shape.Count == 2 ? self.Shape[0] : 1), call, "rows and targets do not fit");
                return [self with { Shape = call.Integer("reduction") == 0 ? call.Type("target").Shape : [] }, self with { Shape = [] }];
            },
            e =>
            {
                var (x, target, weight) = Rows(e);
                var losses = x.gather(1, target.clamp_min(e.Number(0)).unsqueeze(1)).squeeze(1).mul(weight).neg();

                // A row that does not count adds nothing even where its likelihood is not finite.
                losses = where(weight.eq(e.Number(0)), zeros_like(losses), losses);
                var total = weight.sum();
                return e.Integer("reduction") switch
                {
                    0 => [losses.reshape(e["target"].shape), zeros([], x.dtype, x.device)],
                    1 => [losses.sum().div(total), total],
                    _ => [losses.sum(), total],
                };
            });
        Definition.One(
            "aten::nll_loss_backward(Tensor grad_output, Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index, Tensor total_weight) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self"),
            e =>
            {
                var (x, target, weight) = Rows(e);
                var share = e.Integer("reduction") == 1 ? weight.div(e["total_weight"]) : weight;
                var gradient = share.mul(e["grad_output"].reshape(-1)).neg();
                return zeros_like(x).scatter(1, target.clamp_min(e.Number(0)).unsqueeze(1), gradient.unsqueeze(1)).reshape(e["self"].shape);
            });
        Definition.One(
            "aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean, SymInt ignore_index=-100, float label_smoothing=0.0) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self") with { Shape = call.Integer("reduction") != 0 ? [] : TypePromotion.IsIntegral(call.Type("target").DType) ? call.Type("target").Shape : Inference.Reduce(call.Type("self").Shape, [call.Type("self").Shape.Count == 1 ? 0 : 1], false) },
            e => nn.functional.cross_entropy(e["self"], e["target"], e.Optional("weight")!, e.Integer("ignore_index"), Reduced(e), e.Call.Number("label_smoothing")));
    }

    private static void Differences()
    {
        Loss("mse_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor", (e, x, y) => nn.functional.mse_loss(x, y, Reduced(e)));
        Loss("l1_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor", (e, x, y) => nn.functional.l1_loss(x, y, Reduced(e)));
        Loss("smooth_l1_loss(Tensor self, Tensor target, int reduction=Mean, float beta=1.0) -> Tensor", (e, x, y) => nn.functional.smooth_l1_loss(x, y, Reduced(e), e.Call.Number("beta")));
        Loss("huber_loss(Tensor self, Tensor target, int reduction=Mean, float delta=1.0) -> Tensor", (e, x, y) => nn.functional.huber_loss(x, y, e.Call.Number("delta"), Reduced(e)));
        Backward("mse_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction) -> Tensor", (e, x) => nn.functional.mse_loss(x, e["target"], Reduced(e)));
        Backward(
            "smooth_l1_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction, float beta) -> Tensor",
            (e, x) => nn.functional.smooth_l1_loss(x, e["target"], Reduced(e), e.Call.Number("beta")));
        Backward(
            "huber_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction, float delta) -> Tensor",
            (e, x) => nn.functional.huber_loss(x, e["target"], e.Call.Number("delta"), Reduced(e)));
    }

    private static void Binary()
    {
        Loss(
            "binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean) -> Tensor",
            (e, x, y) => nn.functional.binary_cross_entropy(x, y, e.Optional("weight")!, Reduced(e)));
        Loss(
            "binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, int reduction=Mean) -> Tensor",
            (e, x, y) => nn.functional.binary_cross_entropy_with_logits(x, y, e.Optional("weight")!, Reduced(e), e.Optional("pos_weight")!));
        Backward(
            "binary_cross_entropy_backward(Tensor grad_output, Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean) -> Tensor",
            (e, x) => nn.functional.binary_cross_entropy(x, e["target"], e.Optional("weight")!, Reduced(e)));
    }

    /// <summary>(N, C) of log likelihoods, (N) of targets and (N) of how much each row counts.</summary>
    private static (Tensor Self, Tensor Target, Tensor Weight) Rows(Evaluation e)
    {
        var (x, target) = (e["self"], e["target"].reshape(-1));
        x = x.reshape(target.numel(), -1);
        var counted = target.ne(e.Number(e.Integer("ignore_index"))).to(x.dtype);
        return (x, target, e.Optional("weight") is { } weight ? weight.index_select(0, target.clamp_min(e.Number(0))).mul(counted) : counted);
    }

    private static void Loss(string schema, Func<Evaluation, Tensor, Tensor, Tensor> evaluate) => Definition.One(
        "aten::" + schema,
        OperatorKind.Reduction,
        call =>
        {
            var type = Inference.Broadcast(call, TypePromotion.Of(call, "self", "target"));
            return call.Integer("reduction") == 0 ? type : type with { Shape = [] };
        },
        e => evaluate(e, e["self"], e["target"]));

    private static void Backward(string schema, Func<Evaluation, Tensor, Tensor> forward) => Definition.One(
        "aten::" + schema,
        OperatorKind.Pointwise,
        call => call.Type("self"),
        e => Definition.Gradients(t => forward(e, t[0]), [e["self"]], e["grad_output"])[0]);

    private static nn.Reduction Reduced(Evaluation e) => e.Integer("reduction") switch
    {
        0 => nn.Reduction.None,
        1 => nn.Reduction.Mean,
        _ => nn.Reduction.Sum,
    };
}
