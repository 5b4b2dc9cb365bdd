using System.Collections.Immutable;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Convolution and pooling.</summary>
internal static class ConvolutionOperators
{
    private const string Pool = "int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False";
    private const string Geometry = "SymInt[] stride, SymInt[] padding, SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups";

    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Convolutions();
        MaxPools();
        MeanPools();
    }

    private static void Convolutions()
    {
        Definition.One(
            $"aten::convolution(Tensor input, Tensor weight, Tensor? bias, {Geometry}) -> Tensor",
            OperatorKind.Other,
            call => Output(call, call.Flag("transposed")),
            e => Convolve(e, e["input"], e["weight"], e.Optional("bias")));
        foreach (var n in new[] { 1, 2 })
        {
            Definition.One(
                $"aten::conv{n}d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[{n}] stride=1, SymInt[{n}] padding=0, SymInt[{n}] dilation=1, SymInt groups=1) -> Tensor",
                OperatorKind.Other,
                call => Output(call, false),
                e => Convolve(e, e["input"], e["weight"], e.Optional("bias"), false));
        }

        Definition.Many(
            $"aten::convolution_backward(Tensor grad_output, Tensor input, Tensor weight, SymInt[]? bias_sizes, {Geometry}, bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
            OperatorKind.Other,
            call =>
            {
                var mask = call.Integers("output_mask")!.Value;
                var bias = call.Type("weight") with { Shape = [call.Type("grad_output").Shape[1]] };
                return [.. new[] { call.Type("input"), call.Type("weight"), bias }.Select((type, i) => mask[i] != 0 ? type : Inference.Nothing(type))];
            },
            e =>
            {
                var mask = e.Integers("output_mask");
                var weight = e["weight"];
                var bias = zeros([e["grad_output"].shape[1]], weight.dtype, weight.device);
                var gradients = Definition.Gradients(t => Convolve(e, t[0], t[1], t[2]), [e["input"], weight, bias], e["grad_output"]);
                return [.. gradients.Select((gradient, i) => mask[i] != 0 ? gradient : empty([0], gradient.dtype, gradient.device))];
            });
    }

    private static void MaxPools()
    {
        Definition.One($"aten::max_pool2d(Tensor self, {Pool}) -> Tensor", OperatorKind.Other, Pooled, MaxPool);
        Definition.Many(
            $"aten::max_pool2d_with_indices(Tensor self, {Pool}) -> (Tensor, Tensor)",
            OperatorKind.Other,
            call => [Pooled(call), Pooled(call) with { DType = ScalarType.Int64 }],
            e =>
            {
                var (values, indices) = nn.functional.max_pool2d_with_indices(
                    e["self"], Pair(e.Call, "kernel_size"), Stride(e.Call), Pair(e.Call, "padding"), Pair(e.Call, "dilation"), e.Flag("ceil_mode"));
                return [values, indices];
            });
        Definition.One(
            "aten::max_pool2d_with_indices_backward(Tensor grad_output, Tensor self, int[2] kernel_size, int[2] stride, int[2] padding, int[2] dilation, bool ceil_mode, Tensor indices) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self"),
            e =>
            {
                // Every window hands its gradient to the place of its greatest value.
                var (gradient, shape) = (e["grad_output"], e["self"].shape);
                var planes = gradient.shape[..^2].Aggregate(1L, (product, size) => product * size);
                var sum = zeros([planes, shape[^1] * shape[^2]], gradient.dtype, gradient.device);
                return sum.scatter_add(1, e["indices"].reshape(planes, -1), gradient.reshape(planes, -1)).reshape(shape);
            });
    }

    private static void MeanPools()
    {
        Definition.One(
            "aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
            OperatorKind.Other,
            Pooled,
            e => MeanPool(e, e["self"]));
        Definition.One(
            "aten::avg_pool2d_backward(Tensor grad_output, Tensor self, int[2] kernel_size, int[2] stride, int[2] padding, bool ceil_mode, bool count_include_pad, int? divisor_override) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self"),
            e => Definition.Gradients(t => MeanPool(e, t[0]), [e["self"]], e["grad_output"])[0]);
        foreach (var name in new[] { "adaptive_avg_pool2d", "_adaptive_avg_pool2d" })
        {
            Definition.One(
                $"aten::{name}(Tensor self, SymInt[2] output_size) -> Tensor",
                OperatorKind.Other,
                call =>
                {
                    var type = call.Type("self");
                    Inference.Require(type.Shape.Count is 3 or 4, call, "a batch of planes is wanted");
                    return type with { Shape = [.. type.Shape.Take(type.Shape.Count - 2), .. Pair(call, "output_size")] };
                },
                e => nn.functional.adaptive_avg_pool2d(e["self"], Pair(e.Call, "output_size")));
        }

        Definition.One(
            "aten::_adaptive_avg_pool2d_backward(Tensor grad_output, Tensor self) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self"),
            e => Definition.Gradients(t => nn.functional.adaptive_avg_pool2d(t[0], e["grad_output"].shape[^2..]), [e["self"]], e["grad_output"])[0]);
        Definition.One(
            "aten::upsample_nearest2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? scales_w=None) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self") with { Shape = [.. call.Type("self").Shape.Take(2), .. Pair(call, "output_size")] },
            e => nn.functional.upsample_nearest2d(e["self"], Pair(e.Call, "output_size")));
    }

    private static TensorType Output(OperatorCall call, bool transposed)
    {
        var (x, w) = (call.Type("input").Shape, call.Type("weight").Shape);
        var spatial = w.Count - 2;
        Inference.Require(spatial is 1 or 2 or 3 && (x.Count == w.Count || x.Count == w.Count - 1), call, "input and weight do not fit together");
        var first = x.Count - spatial;
        var groups = call.Integer("groups");
        Inference.Require(x[first - 1] == (transposed ? w[0] : w[1] * groups), call, "the channels do not fit to the weight");
        var (stride, padding, dilation) = (Numbers(call, "stride", spatial), Numbers(call, "padding", spatial), Numbers(call, "dilation", spatial));
        var more = transposed ? Numbers(call, "output_padding", spatial) : [];
        var sizes = Enumerable.Range(0, spatial).Select(i =>
        {
            var reach = (dilation[i] * (w[i + 2] - 1)) + 1;
            return transposed
                ? ((x[first + i] - 1) * stride[i]) - (2 * padding[i]) + reach + more[i]
                : ((x[first + i] + (2 * padding[i]) - reach) / stride[i]) + 1;
        }).ToArray();
        Inference.Require(sizes.All(size => size > 0), call, "the kernel is larger than the input");
        return call.Type("input") with { Shape = [.. x.Take(first - 1), transposed ? w[1] * groups : w[0], .. sizes] };
    }

    private static Tensor Convolve(Evaluation e, Tensor x, Tensor w, Tensor? bias, bool? transposed = null)
    {
        var spatial = (int)w.dim() - 2;
        var (stride, padding, dilation) = (Numbers(e.Call, "stride", spatial), Numbers(e.Call, "padding", spatial), Numbers(e.Call, "dilation", spatial));
        var groups = e.Integer("groups");
        if (transposed ?? e.Flag("transposed"))
        {
            var more = Numbers(e.Call, "output_padding", spatial);
            return spatial switch
            {
                1 => nn.functional.conv_transpose1d(x, w, bias!, stride[0], padding[0], more[0], dilation[0], groups),
                2 => nn.functional.conv_transpose2d(x, w, bias!, stride, padding, more, dilation, groups),
                _ => nn.functional.conv_transpose3d(x, w, bias!, stride, padding, more, dilation, groups),
            };
        }

        return spatial switch
        {
            1 => nn.functional.conv1d(x, w, bias!, stride[0], padding[0], dilation[0], groups),
            2 => nn.functional.conv2d(x, w, bias!, stride, padding, dilation, groups),
            _ => nn.functional.conv3d(x, w, bias!, stride, padding, dilation, groups),
        };
    }

    private static Tensor MaxPool(Evaluation e) => nn.functional.max_pool2d(
        e["self"], Pair(e.Call, "kernel_size"), Stride(e.Call), Pair(e.Call, "padding"), Pair(e.Call, "dilation"), e.Flag("ceil_mode"));

    private static Tensor MeanPool(Evaluation e, Tensor x) => nn.functional.avg_pool2d(
        x,
        Pair(e.Call, "kernel_size"),
        Stride(e.Call),
        Pair(e.Call, "padding"),
        e.Flag("ceil_mode"),
        e.Flag("count_include_pad"),
        e.Call.Has("divisor_override") ? e.Integer("divisor_override") : null);

    private static TensorType Pooled(OperatorCall call)
    {
        var type = call.Type("self");
        Inference.Require(type.Shape.Count is 3 or 4, call, "a batch of planes is wanted");
        var (kernel, stride, padding) = (Pair(call, "kernel_size"), Stride(call), Pair(call, "padding"));
        var dilation = call.Operator.Parameters.Any(parameter => parameter.Name == "dilation") ? Pair(call, "dilation") : [1, 1];
        var sizes = Enumerable.Range(0, 2).Select(i =>
        {
            var size = type.Shape[type.Shape.Count - 2 + i];
            var room = size + (2 * padding[i]) - (dilation[i] * (kernel[i] - 1)) - 1;
            var count = ((call.Flag("ceil_mode") ? room + stride[i] - 1 : room) / stride[i]) + 1;

            // A last window must begin inside of the input or of its left padding.
            return call.Flag("ceil_mode") && (count - 1) * stride[i] >= size + padding[i] ? count - 1 : count;
        }).ToArray();
        Inference.Require(sizes.All(size => size > 0), call, "the window is larger than the input");
        return type with { Shape = [.. type.Shape.Take(type.Shape.Count - 2), .. sizes] };
    }

    private static long[] Stride(OperatorCall call) => call.Integers("stride") is { Length: > 0 } ? Pair(call, "stride") : Pair(call, "kernel_size");

    private static long[] Pair(OperatorCall call, string parameter) => Numbers(call, parameter, 2);

    private static long[] Numbers(OperatorCall call, string parameter, int count) => Inference.Expand(call.Integers(parameter)!.Value, count);
}
