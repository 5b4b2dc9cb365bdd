using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Layer, batch, group and root mean square normalisation, forward and backward.</summary>
internal static class NormalisationOperators
{
    private const string BatchStatistics = "bool training, float momentum, float eps";

    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Layer();
        Batch();
        Group();
    }

    private static void Layer()
    {
        Definition.One(
            "aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor",
            OperatorKind.Reduction,
            call => Normalised(call),
            LayerNorm);
        Definition.Many(
            "aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor)",
            OperatorKind.Reduction,
            call => [Normalised(call), LayerStatistics(call), LayerStatistics(call)],
            e =>
            {
                var (mean, inverse) = Statistics(e, Trailing(e.Call));
                return [LayerNorm(e), mean.to(e.Output(1).DType), inverse.to(e.Output(1).DType)];
            });
        Definition.Many(
            "aten::native_layer_norm_backward(Tensor grad_out, Tensor input, SymInt[] normalized_shape, Tensor mean, Tensor rstd, Tensor? weight, Tensor? bias, bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
            OperatorKind.Reduction,
            call => Masked(call, call.Type("input"), Optional(call, "weight"), Optional(call, "bias")),
            e => Gradients(e, ["input", "weight", "bias"], t => nn.functional.layer_norm(t[0]!, e.Integers("normalized_shape"), t[1]!, t[2]!, Epsilon(e, e.Tensors[0].dtype, "rstd"))));
        Definition.One(
            "aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
            OperatorKind.Reduction,
            call => Normalised(call) with { DType = call.Has("weight") ? TypePromotion.Of(call, "input", "weight") : call.Type("input").DType },
            e => RmsNorm(e)[0]);
        Definition.Many(
            "aten::_fused_rms_norm(Tensor input, int[] normalized_shape, Tensor? weight, float? eps) -> (Tensor, Tensor)",
            OperatorKind.Reduction,
            call => [Normalised(call), LayerStatistics(call) with { DType = Wide(call.Type("input").DType) }],
            RmsNorm);
    }

    private static void Batch()
    {
        Definition.One(
            $"aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, {BatchStatistics}, bool cudnn_enabled) -> Tensor",
            OperatorKind.Other,
            call => RequireChannels(Checked(call)),
            e => BatchNorm(e)[0]);
        Definition.Many(
            $"aten::native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, {BatchStatistics}) -> (Tensor, Tensor, Tensor)",
            OperatorKind.Other,
            call => BatchTypes(Checked(call)),
            e => BatchNorm(e));

        // The two forms that say what training does to the running statistics: one overwrites them, one returns them.
        Definition.Many(
            $"aten::_native_batch_norm_legit(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!) running_mean, Tensor(b!) running_var, {BatchStatistics}) -> (Tensor, Tensor, Tensor)",
            OperatorKind.Other,
            BatchTypes,
            e => BatchNorm(e, e["running_mean"], e["running_var"]));
        Definition.Many(
            $"aten::_native_batch_norm_legit_functional(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, Tensor running_var, {BatchStatistics}) -> (Tensor, Tensor, Tensor, Tensor running_mean_out, Tensor running_var_out)",
            OperatorKind.Other,
            call => [.. BatchTypes(call), call.Type("running_mean"), call.Type("running_var")],
            e =>
            {
                var (mean, variance) = (e["running_mean"].clone(), e["running_var"].clone());
                return [.. BatchNorm(e, mean, variance), mean, variance];
            });
        Definition.Many(
            "aten::native_batch_norm_backward(Tensor grad_out, Tensor input, Tensor? weight, Tensor? running_mean, Tensor? running_var, Tensor? save_mean, Tensor? save_invstd, bool train, float eps, bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
            OperatorKind.Other,
            call => Masked(call, RequireChannels(call), ChannelType(call), ChannelType(call)),
            BatchBackward);
    }

    private static void Group()
    {
        Definition.One(
            "aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enabled=True) -> Tensor",
            OperatorKind.Reduction,
            RequireChannels,
            e => nn.functional.group_norm(e["input"], e.Integer("num_groups"), e.Optional("weight")!, e.Optional("bias")!, e.Call.Number("eps")));
        Definition.Many(
            "aten::native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, int group, float eps) -> (Tensor, Tensor, Tensor)",
            OperatorKind.Reduction,
            call => [RequireChannels(call), GroupStatistics(call), GroupStatistics(call)],
            e =>
            {
                var y = nn.functional.group_norm(e["input"], e.Integer("group"), e.Optional("weight")!, e.Optional("bias")!, e.Call.Number("eps"));
                var x = e["input"].reshape(e.Integer("N"), e.Integer("group"), -1);
                var wide = x.to(Wide(x.dtype));
                var inverse = wide.var([2], false).add(e.Number(e.Call.Number("eps")), Ops.Scalars.One).rsqrt();
                return [y, wide.mean([2]).to(e.Output(1).DType), inverse.to(e.Output(1).DType)];
            });
        Definition.Many(
            "aten::native_group_norm_backward(Tensor grad_out, Tensor input, Tensor mean, Tensor rstd, Tensor? weight, SymInt N, SymInt C, SymInt HxW, int group, bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
            OperatorKind.Reduction,
            call => Masked(call, RequireChannels(call), ChannelType(call), ChannelType(call)),
            GroupBackward);
    }

    /// <summary>Dimensions that are normalised over: the last ones.</summary>
    private static long[] Trailing(OperatorCall call)
    {
        var (rank, count) = (call.Type("input").Shape.Count, call.Integers("normalized_shape")!.Value.Length);
        return [.. Enumerable.Range(rank - count, count).Select(d => (long)d)];
    }

    private static (Tensor Mean, Tensor Inverse) Statistics(Evaluation e, long[] dimensions)
    {
        var x = e["input"].to(Wide(e["input"].dtype));
        return (x.mean(dimensions, true), x.var(dimensions, false, true).add(e.Number(e.Call.Number("eps")), Ops.Scalars.One).rsqrt());
    }

    private static Tensor LayerNorm(Evaluation e) =>
        nn.functional.layer_norm(e["input"], e.Integers("normalized_shape"), e.Optional("weight")!, e.Optional("bias")!, e.Call.Number("eps"));

    private static Tensor[] RmsNorm(Evaluation e)
    {
        var x = e["input"].to(Wide(e["input"].dtype));

        // No ε means the smallest step of the type, as in torch.nn.functional.rms_norm.
        var epsilon = e.Call.Has("eps") ? e.Call.Number("eps") : finfo(x.dtype).eps;
        var inverse = x.pow(Ops.Scalars.Two).mean(Trailing(e.Call), true).add(e.Number(epsilon), Ops.Scalars.One).rsqrt();
        var y = x.mul(inverse);
        return [(e.Optional("weight") is { } weight ? y.mul(weight) : y).to(e.Output().DType), inverse];
    }

    /// <summary>One call of libtorch, for whoever records it: training keeps the statistics of the batch in the running ones, if there are any.</summary>
    private static Tensor[] BatchNorm(Evaluation e, Tensor? mean = null, Tensor? variance = null)
    {
        var (x, training) = (e["input"], e.Flag("training"));
        var (weight, bias) = (e.Optional("weight"), e.Optional("bias"));
        if (!training)
        {
            var y = nn.functional.batch_norm(x, e["running_mean"], e["running_var"], weight!, bias!, false, e.Call.Number("momentum"), e.Call.Number("eps"));
            return [y, .. Enumerable.Range(0, 2).Select(_ => empty([0], e.Call.Has("running_mean") ? e["running_mean"].dtype : x.dtype, x.device))];
        }

        var wide = x.to(Wide(x.dtype));
        long[] dims = [0, .. Enumerable.Range(2, (int)x.dim() - 2).Select(d => (long)d)];
        var type = weight?.dtype ?? x.dtype;
        return
        [
            nn.functional.batch_norm(x, mean!, variance!, weight!, bias!, true, e.Call.Number("momentum"), e.Call.Number("eps")),
            wide.mean(dims).to(type),
            wide.var(dims, false).add(e.Number(e.Call.Number("eps")), Ops.Scalars.One).rsqrt().to(type),
        ];
    }

    private static Tensor[] BatchBackward(Evaluation e)
    {
        var (x, training) = (e["input"], e.Flag("train"));
        var ones = e.Optional("weight") ?? torch.ones([x.shape[1]], x.dtype, device: x.device);
        Tensor[] leaves = [x, ones, zeros_like(ones)];
        var (mean, variance) = training ? (null, null) : (e.Optional("running_mean"), e.Optional("running_var"));
        var gradients = Definition.Gradients(
            t => nn.functional.batch_norm(t[0], mean!, variance!, t[1], t[2], training, 0, e.Call.Number("eps")), leaves, e["grad_out"]);
        return Mask(e, gradients);
    }

    private static Tensor[] GroupBackward(Evaluation e)
    {
        var x = e["input"];
        var weight = e.Optional("weight") ?? ones([e.Integer("C")], x.dtype, device: x.device);
        var epsilon = Epsilon(e, x.dtype, "rstd");
        return Mask(e, Definition.Gradients(t => nn.functional.group_norm(t[0], e.Integer("group"), t[1], t[2], epsilon), [x, weight, zeros_like(weight)], e["grad_out"]));
    }

    /// <summary>The ε of the forward pass, which the backward operators are not given: 1/rstd² = variance + ε holds for every row, so the most even row tells it best.</summary>
    private static double Epsilon(Evaluation e, ScalarType type, string inverse)
    {
        using var scope = NewDisposeScope();
        var x = e["input"].to(ScalarType.Float64);
        var rstd = e[inverse].to(ScalarType.Float64);
        var rows = x.reshape(rstd.numel(), -1);
        var variance = rows.var([1], false);
        var difference = rstd.reshape(-1).pow(e.Number(-2)).sub(variance);
        var epsilon = difference[variance.argmin()].item<double>();

        // Below what the statistics' own type can tell, it makes no difference.
        return Math.Max(epsilon, 0);
    }

    private static Tensor[] Gradients(Evaluation e, string[] names, Func<Tensor?[], Tensor> forward)
    {
        var given = names.Select(e.Optional).ToArray();
        Tensor[] leaves = [.. given.OfType<Tensor>()];
        var gradients = Definition.Gradients(
            t =>
            {
                var next = 0;
                return forward([.. given.Select(tensor => tensor is null ? null : t[next++])]);
            },
            leaves,
            e["grad_out"]);
        var at = 0;
        return Mask(e, [.. given.Select((tensor, i) => tensor is null ? empty([0], e.Output(i).DType, e["input"].device) : gradients[at++])]);
    }

    private static Tensor[] Mask(Evaluation e, Tensor[] gradients)
    {
        var mask = e.Integers("output_mask");
        return [.. gradients.Select((gradient, i) => mask[i] != 0 ? gradient : empty([0], gradient.dtype, gradient.device))];
    }

    private static TensorType[] Masked(OperatorCall call, params TensorType?[] types)
    {
        var mask = call.Integers("output_mask")!.Value;
        return [.. types.Select((type, i) => mask[i] != 0 && type is not null ? type : Inference.Nothing(type ?? call.Type("input")))];
    }

    private static TensorType? Optional(OperatorCall call, string name) => call.Has(name) ? call.Type(name) : null;

    private static TensorType ChannelType(OperatorCall call) =>
        new(Optional(call, "weight")?.DType ?? call.Type("input").DType, [call.Type("input").Shape[1]], call.Type("input").Device);

    /// <summary>The type of an input with channels, for each of which there is one value in whatever else is given.</summary>
    private static TensorType RequireChannels(OperatorCall call)
    {
        var type = call.Type("input");
        Inference.Require(type.Shape.Count >= 2, call, "a batch with channels is wanted");
        Inference.RequireShape(call, [type.Shape[1]], "weight", "bias", "running_mean", "running_var");
        Inference.RequireShape(call, type.Shape, "grad_out");
        return type;
    }

    private static TensorType Normalised(OperatorCall call)
    {
        var (type, sizes) = (call.Type("input"), call.Integers("normalized_shape")!.Value);
        Inference.Require(
            sizes.Length > 0 && sizes.Length <= type.Shape.Count && type.Shape.Skip(type.Shape.Count - sizes.Length).SequenceEqual(sizes),
            call,
            $"[{string.Join(", ", sizes)}] are not the last extents");
        Inference.RequireShape(call, [.. sizes], "weight", "bias");
        return type;
    }

    private static TensorType LayerStatistics(OperatorCall call)
    {
        var type = call.Type("input");
        var kept = type.Shape.Count - call.Integers("normalized_shape")!.Value.Length;

        // On the CPU, statistics have the type of the values unless the weights are wider.
        var dtype = type.Device == "cpu" ? Optional(call, "weight")?.DType ?? type.DType : Wide(type.DType);
        return new(dtype, [.. type.Shape.Select((size, i) => i < kept ? size : 1)], type.Device);
    }

    private static TensorType GroupStatistics(OperatorCall call) =>
        new(Optional(call, "weight")?.DType ?? call.Type("input").DType, [call.Integer("N"), call.Integer("group")], call.Type("input").Device);

    private static TensorType[] BatchTypes(OperatorCall call)
    {
        var type = call.Type("input");
        RequireChannels(call);
        Inference.Require(call.Flag("training") || (call.Has("running_mean") && call.Has("running_var")), call, "without running statistics there is only training");
        var statistics = call.Flag("training")
            ? ChannelType(call)
            : new(Optional(call, "running_mean")!.DType, [0], type.Device);
        return [type, statistics, statistics];
    }

    /// <summary>ATen's schemas keep quiet about running statistics that are overwritten; a graph does not.</summary>
    private static OperatorCall Checked(OperatorCall call)
    {
        if (call.Flag("training") && call.Has("running_mean"))
        {
            throw new GraphException($"{call.Operator.Name} would change running statistics without saying so: use aten::_native_batch_norm_legit");
        }

        return call;
    }

    private static ScalarType Wide(ScalarType type) => type is ScalarType.BFloat16 or ScalarType.Float16 ? ScalarType.Float32 : type;
}
