using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Gradients of pointwise functions: pointwise too.</summary>
internal static class GradientOperators
{
    private static readonly double _two = 2 / Math.Sqrt(Math.PI);

    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Add("tanh_backward(Tensor grad_output, Tensor output) -> Tensor", e => e["grad_output"].mul(e["output"].pow(Ops.Scalars.Two).neg().add(Ops.Scalars.One, Ops.Scalars.One)));
        Add("sigmoid_backward(Tensor grad_output, Tensor output) -> Tensor", e => e["grad_output"].mul(e["output"].neg().add(Ops.Scalars.One, Ops.Scalars.One)).mul(e["output"]));
        Add(
            "threshold_backward(Tensor grad_output, Tensor self, Scalar threshold) -> Tensor",
            e => where(e["self"].le(e.Scalar("threshold")), full([], e.Number(0), e["grad_output"].dtype, e["grad_output"].device), e["grad_output"]));
        Add("gelu_backward(Tensor grad_output, Tensor self, *, str approximate='none') -> Tensor", Gelu);
        Function("silu_backward(Tensor grad_output, Tensor self) -> Tensor", (_, x) => nn.functional.silu(x));
        Function("mish_backward(Tensor grad_output, Tensor self) -> Tensor", (_, x) => KeptScalars.Mish(x));
        Function("hardswish_backward(Tensor grad_output, Tensor self) -> Tensor", (_, x) => nn.functional.hardswish(x));
        Function("hardsigmoid_backward(Tensor grad_output, Tensor self) -> Tensor", (_, x) => nn.functional.hardsigmoid(x));
        Add(
            "hardtanh_backward(Tensor grad_output, Tensor self, Scalar min_val, Scalar max_val) -> Tensor",
            e => e["grad_output"].masked_fill(e["self"].le(e.Scalar("min_val")).logical_or(e["self"].ge(e.Scalar("max_val"))), e.Number(0)));
        Function(
            "leaky_relu_backward(Tensor grad_output, Tensor self, Scalar negative_slope, bool self_is_result) -> Tensor",
            (e, x) => x.leaky_relu(e.Scalar("negative_slope")));
        Function(
            "softplus_backward(Tensor grad_output, Tensor self, Scalar beta, Scalar threshold) -> Tensor",
            (e, x) => KeptScalars.Softplus(x, e.Scalar("beta"), e.Scalar("threshold")));
        Add("elu_backward(Tensor grad_output, Scalar alpha, Scalar scale, Scalar input_scale, bool is_result, Tensor self_or_result) -> Tensor", Elu);
    }

    /// <summary>Of the result y = α(eˣ - 1) the slope is y + α, of the input x it is α·eˣ.</summary>
    private static Tensor Elu(Evaluation e)
    {
        var (gradient, x) = (e["grad_output"], e["self_or_result"]);
        var (alpha, scale, inner) = (e.Call.Number("alpha"), e.Call.Number("scale"), e.Call.Number("input_scale"));
        var below = e.Flag("is_result")
            ? x.add(e.Number(alpha * scale), Ops.Scalars.One).mul(e.Number(inner))
            : x.mul(e.Number(inner)).exp().mul(e.Number(alpha * scale * inner));
        return gradient.mul(where(x.le(e.Number(0)), below, full([], e.Number(scale), x.dtype, x.device)));
    }

    private static Tensor Gelu(Evaluation e)
    {
        var (gradient, x) = (e["grad_output"], e["self"]);
        var wide = x.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? x.to(ScalarType.Float32) : x;
        Tensor slope;
        if (e.Call.Text("approximate") == "tanh")
        {
            // With u = √(2/π)(x + 0.044715 x³): (1 + tanh u)/2 + x(1 - tanh² u)u'/2.
            var factor = Math.Sqrt(2 / Math.PI);
            var square = wide.mul(wide);
            var inner = wide.mul(square.mul(e.Number(0.044715)).add(Ops.Scalars.One, Ops.Scalars.One)).mul(e.Number(factor)).tanh();
            var steep = square.mul(e.Number(3 * 0.044715)).add(Ops.Scalars.One, Ops.Scalars.One).mul(e.Number(factor));
            slope = inner.add(Ops.Scalars.One, Ops.Scalars.One).add(wide.mul(inner.pow(Ops.Scalars.Two).neg().add(Ops.Scalars.One, Ops.Scalars.One)).mul(steep), Ops.Scalars.One).mul(e.Number(0.5));
        }
        else
        {
            var distribution = wide.mul(e.Number(Math.Sqrt(0.5))).erf().add(Ops.Scalars.One, Ops.Scalars.One).mul(e.Number(0.5));
            var density = wide.pow(Ops.Scalars.Two).mul(e.Number(-0.5)).exp().mul(e.Number(_two * Math.Sqrt(0.5) * 0.5));
            slope = distribution.add(wide.mul(density), Ops.Scalars.One);
        }

        return gradient.to(wide.dtype).mul(slope).to(x.dtype);
    }

    private static void Function(string schema, Func<Evaluation, Tensor, Tensor> forward) =>
        Add(schema, e => Definition.Gradients(x => forward(e, x[0]), [e["self"]], e["grad_output"])[0]);

    private static void Add(string schema, Func<Evaluation, Tensor> evaluate) => Definition.One(
        "aten::" + schema, OperatorKind.Pointwise, call => Inference.Broadcast(call, call.Type("grad_output").DType), evaluate);
}
