using Toolkit.Graphs;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs;

/// <summary>The plain way to compute an operator has the gradients of libtorch's operator, also where a function has a corner.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class OperatorGradientTests
{
    private static readonly Dictionary<string, Argument[]> _operators = new()
    {
        ["aten::std.correction"] = [new IntegersArgument([1]), 1L, false],
        ["aten::var.correction"] = [new IntegersArgument([1]), 0L, true],
        ["aten::linalg_vector_norm"] = [2.0, new IntegersArgument([1])],
        ["aten::logsumexp"] = [new IntegersArgument([1]), true],
        ["aten::hardtanh"] = [-1.0, 2.0],
        ["aten::clamp"] = [-1.0, 2.0],
        ["aten::relu"] = [],
        ["aten::abs"] = [],
        ["aten::sqrt"] = [],
        ["aten::leaky_relu"] = [0.1],
        ["aten::hardswish"] = [],
        ["aten::hardsigmoid"] = [],
        ["aten::threshold"] = [2.0, 0.5],
        ["aten::amax"] = [new IntegersArgument([1])],
        ["aten::max.dim"] = [1L],
        ["aten::cumprod"] = [1L],
        ["aten::log_softmax.int"] = [1L],
    };

    public static TheoryData<string> Names => [.. _operators.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void It_has_libtorchs_gradients(string name)
    {
        using var scope = NewDisposeScope();
        var (op, library) = (Operators.Get(name), DispatcherCapture.Required.Find(name)!);

        // Rows of the same values, of bounds, of what is far away, and others.
        var x = tensor(new float[] { 2, 2, 2, 0, 0, 0, -1, 3, 2, -1e30f, -1e30f, -1e30f, 0.5f, -0.7f, 1.5f }).view(5, 3);
        var input = new GraphBuilder().Input(TensorType.Of(x), GraphInputKind.Argument, "x");
        var arguments = GraphBuilder.WithDefaults(op, [new ValueArgument(input), .. _operators[name]]);
        (Tensor Result, Tensor Gradient) Run(Func<Tensor[], Tensor[]> call)
        {
            var leaf = x.clone().requires_grad_();
            var result = call([leaf])[0];
            result.backward(grad_tensors: [arange(1, result.numel() + 1, ScalarType.Float32).view(result.shape)]);
            return (result.detach(), leaf.grad!);
        }

        var expected = Run(tensors => library.Call(arguments, tensors));
        var actual = Run(tensors => op.Evaluate(new(op, arguments), tensors));
        Assert.True(expected.Result.allclose(actual.Result, 1e-5, 1e-6, equal_nan: true), $"{expected.Result.str()} {actual.Result.str()}");
        Assert.True(expected.Gradient.allclose(actual.Gradient, 1e-5, 1e-6, equal_nan: true), $"{expected.Gradient.str()} {actual.Gradient.str()}");
    }

    [Fact]
    public void Logsumexp_over_several_dimensions_is_libtorchs()
    {
        using var scope = NewDisposeScope();
        var x = randn(2, 3, 4);
        var builder = new GraphBuilder();
        var graph = builder.Build([builder.Add("aten::logsumexp", builder.Input(TensorType.Of(x), GraphInputKind.Argument, "x"), new IntegersArgument([0, -1]), true)]);
        Assert.True(x.permute(1, 0, 2).reshape(1, 3, 8).logsumexp(-1, true).allclose(GraphInterpreter.Run(graph, x)[0]));
    }
}
