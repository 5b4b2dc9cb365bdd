namespace Toolkit.Graphs.Cpu;

internal static partial class Lowerings
{
    private static IEnumerable<KeyValuePair<string, Lowering>> Gradients()
    {
        yield return Gradient("aten::tanh_backward", "({0} * ({2} - {1} * {1}))", "output");
        yield return Gradient("aten::sigmoid_backward", "({0} * ({2} - {1}) * {1})", "output");
        yield return Gradient("aten::silu_backward", "({0} * Sigmoid({1}) * ({2} + {1} * ({2} - Sigmoid({1}))))", "self");
        yield return Entry("aten::threshold_backward", (b, n) => Choose(
            b,
            b.Apply("Le({0}, {1})", NumberKind.Boolean, b.Argument("self", OutputKind(n)), b.Argument("threshold", OutputKind(n))),
            b.Constant(0, OutputKind(n)),
            b.Argument("grad_output", OutputKind(n))), IsReal);
        yield return Entry("aten::gelu_backward", GeluGradient, node => IsReal(node) && Call(node).Text("approximate") != "tanh");
        yield return Reducing("aten::_softmax_backward_data", SoftmaxGradient, OneDimension, IsReal);
        yield return Reducing("aten::_log_softmax_backward_data", LogSoftmaxGradient, OneDimension, IsReal);
    }

    private static KeyValuePair<string, Lowering> Gradient(string name, string template, string parameter) => Entry(
        name, (b, n) => b.Apply(template, OutputKind(n), b.Argument("grad_output", OutputKind(n)), b.Argument(parameter, OutputKind(n)), b.Constant(1, OutputKind(n))), IsReal);

    /// <summary>g·(Φ(x) + x·φ(x)).</summary>
    private static Expression GeluGradient(LoopBuilder b, Node node)
    {
        var kind = OutputKind(node);
        var x = b.Argument("self", kind);
        var half = b.Constant(0.5, kind);
        var cumulative = b.Apply("({2} * ({3} + Erf({0} * {1})))", kind, x, b.Constant(Math.Sqrt(0.5), kind), half, b.Constant(1, kind));
        var density = b.Apply("({1} * Exp(-{2} * {0} * {0}))", kind, x, b.Constant(1 / Math.Sqrt(2 * Math.PI), kind), half);
        return b.Apply("({0} * ({1} + {2} * {3}))", kind, b.Argument("grad_output", kind), cumulative, x, density);
    }

    private static Expression SoftmaxGradient(LoopBuilder b, Node node)
    {
        var kind = OutputKind(node);
        var (gradient, y) = (b.Argument("grad_output", kind), b.Argument("output", kind));
        return b.Apply("({1} * ({0} - {2}))", kind, gradient, y, b.Reduce(Reduction.Sum, b.Apply("({0} * {1})", kind, gradient, y)));
    }

    private static Expression LogSoftmaxGradient(LoopBuilder b, Node node)
    {
        var kind = OutputKind(node);
        var (gradient, y) = (b.Argument("grad_output", kind), b.Argument("output", kind));
        return b.Apply("({0} - Exp({1}) * {2})", kind, gradient, y, b.Reduce(Reduction.Sum, gradient));
    }
}
