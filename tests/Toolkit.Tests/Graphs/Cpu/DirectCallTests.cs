using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>What stays libtorch's but is called without a detour, and results of calls that are returned as they are.</summary>
public sealed class DirectCallTests
{
    private static readonly CpuOptions Options = new() { CacheFolder = null };

    [Theory]
    [InlineData(1, 0, 1, 1, true, ScalarType.Float32)]
    [InlineData(2, 1, 1, 2, false, ScalarType.Float32)]
    [InlineData(1, 2, 2, 4, true, ScalarType.Float32)]
    [InlineData(1, 1, 1, 1, true, ScalarType.BFloat16)]
    public void Convolutions(long stride, long padding, long dilation, long groups, bool hasBias, ScalarType type)
    {
        var g = new GraphBuilder();
        Value Input(params long[] shape) => g.Input(new(type, Shape.Create(shape)), GraphInputKind.Argument, $"x{g.Inputs.Count}");
        var (x, weight) = (Input(2, 8, 9, 11), Input(12, 8 / groups, 3, 3));
        Argument bias = hasBias ? Input(12) : NoArgument.Instance;
        var y = g.Add("aten::conv2d", x, weight, bias, new[] { stride }, new[] { padding, padding }, new[] { dilation }, groups);
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::relu", y), y]), Options);
        using var scope = NewDisposeScope();
        var tolerance = type == ScalarType.Float32 ? 1e-5 : 1e-2;
        Tensor[] inputs = [.. executable.Graph.Inputs.Select(input => randn(input.Type.Shape.ToArray()).to(type))];
        for (var layout = 0; layout < 2; layout++)
        {
            var (expected, actual) = (GraphInterpreter.Run(executable.Graph, inputs), executable.Run(inputs));
            CpuBackendTests.Close(expected[0], actual[0], tolerance);
            CpuBackendTests.Close(expected[1], actual[1], tolerance);

            // The second time channels lie innermost, which convolution keeps.
            inputs[0] = inputs[0].permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
        }

        Assert.Empty(executable.FallbackCalls);
    }

    [Theory]
    [InlineData(1, 0, 1, true, true, true)]
    [InlineData(2, 1, 2, true, true, false)]
    [InlineData(1, 1, 4, false, true, true)]
    [InlineData(2, 0, 1, true, false, false)]
    public void Gradients_of_convolutions(long stride, long padding, long groups, bool ofInput, bool ofWeight, bool ofBias)
    {
        var g = new GraphBuilder();
        Value Input(params long[] shape) => g.Input(new(ScalarType.Float32, Shape.Create(shape)), GraphInputKind.Argument, $"x{g.Inputs.Count}");
        var (x, weight) = (Input(2, 8, 9, 11), Input(12, 8 / groups, 3, 3));
        long[] strides = [stride, stride], paddings = [padding, padding], none = [0, 0], ones = [1, 1];
        var y = g.Add("aten::convolution", x, weight, NoArgument.Instance, strides, paddings, ones, false, none, groups);
        var gradient = Input([.. y.Type.Shape]);
        var back = g.Add(
            Operators.Get("aten::convolution_backward"),
            [gradient, x, weight, new long[] { 12 }, strides, paddings, ones, false, none, groups, new long[] { ofInput ? 1 : 0, ofWeight ? 1 : 0, ofBias ? 1 : 0 }]);
        bool[] wanted = [ofInput, ofWeight, ofBias];
        using var executable = CpuBackend.Compile(g.Build([y, .. back.Outputs.Where((_, i) => wanted[i])]), Options);
        using var scope = NewDisposeScope();
        Tensor[] inputs = [.. executable.Graph.Inputs.Select(input => randn(input.Type.Shape.ToArray()))];
        for (var layout = 0; layout < 2; layout++)
        {
            foreach (var (expected, actual) in GraphInterpreter.Run(executable.Graph, inputs).Zip(executable.Run(inputs)))
            {
                CpuBackendTests.Close(expected, actual, 1e-5);
            }

            inputs[0] = inputs[0].permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
        }

        Assert.Empty(executable.FallbackCalls);
    }

    [Theory]
    [InlineData(2, 2, 0, 1, false)]
    [InlineData(3, 2, 1, 1, true)]
    [InlineData(2, 1, 0, 2, false)]
    public void Pools(long kernel, long stride, long padding, long dilation, bool isCeiling)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [2, 3, 9, 10]), GraphInputKind.Argument, "x");
        var y = g.Add("aten::max_pool2d", g.Add("aten::relu", x), new[] { kernel, kernel }, new[] { stride, stride }, new[] { padding, padding }, new[] { dilation, dilation }, isCeiling);
        using var executable = CpuBackend.Compile(g.Build([y]), Options);
        using var scope = NewDisposeScope();
        Tensor[] inputs = [randn(2, 3, 9, 10)];
        CpuBackendTests.Close(GraphInterpreter.Run(executable.Graph, inputs)[0], executable.Run(inputs)[0], 0);
        Assert.Empty(executable.FallbackCalls);
    }

    [Theory]
    [InlineData("none", ScalarType.Float32)]
    [InlineData("causal", ScalarType.Float32)]
    [InlineData("mask", ScalarType.Float32)]
    [InlineData("causal", ScalarType.BFloat16)]
    public void Attention_of_many_queries(string kind, ScalarType type)
    {
        var g = new GraphBuilder();
        Value Heads(string name) => g.Add("aten::transpose.int", g.Add("aten::view", g.Input(new(type, [2, 40, 64]), GraphInputKind.Argument, name), new long[] { 2, 40, 4, 16 }), 1L, 2L);
        var (q, k, v) = (Heads("q"), Heads("k"), Heads("v"));
        Argument mask = kind == "mask" ? g.Input(new(type, [40, 40]), GraphInputKind.Argument, "mask") : NoArgument.Instance;
        var y = g.Add("aten::scaled_dot_product_attention", q, k, v, mask, 0.0, kind == "causal", 0.3);
        var flat = g.Add("aten::reshape", g.Add("aten::transpose.int", y, 1L, 2L), new long[] { 2, 40, 64 });
        using var executable = CpuBackend.Compile(g.Build([flat, y, g.Add("aten::neg", flat)]), Options);
        using var scope = NewDisposeScope();
        Tensor[] inputs = [.. executable.Graph.Inputs.Select(input => randn(input.Type.Shape.ToArray()).to(type))];
        var (expected, actual) = (GraphInterpreter.Run(executable.Graph, inputs), executable.Run(inputs));
        for (var i = 0; i < expected.Length; i++)
        {
            CpuBackendTests.Close(expected[i], actual[i], type == ScalarType.Float32 ? 1e-5 : 1e-2);
        }

        Assert.Empty(executable.FallbackCalls);
        Assert.Empty(executable.LayoutCopies);
    }

    [Fact]
    public void What_a_call_returned_is_the_callers()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [6, 9]), GraphInputKind.Argument, "x");
        var sorted = g.Add("aten::cumsum", g.Add("aten::mul.Scalar", x, 2.0), 1L);
        var pooled = g.Add("aten::max_pool2d", g.Add("aten::view", x, new long[] { 1, 1, 6, 9 }), new long[] { 2, 2 }, new long[] { 2, 2 }, new long[] { 0, 0 }, new long[] { 1, 1 }, false);
        using var executable = CpuBackend.Compile(g.Build([sorted, g.Add("aten::exp", sorted), sorted, pooled]), Options);
        using var scope = NewDisposeScope();
        var inputs = Enumerable.Range(0, 3).Select(_ => randn(6, 9)).ToArray();
        var results = executable.Graph.Outputs.Sum(output => output.Type.Elements * sizeof(float));
        Assert.InRange(executable.PeakBytes, results, results + executable.IntermediateBytes + 64);
        var all = inputs.Select(input => executable.Run([input])).ToArray();
        for (var i = 0; i < inputs.Length; i++)
        {
            var expected = GraphInterpreter.Run(executable.Graph, [inputs[i]]);
            for (var output = 0; output < expected.Length; output++)
            {
                CpuBackendTests.Close(expected[output], all[i][output], 1e-6);
            }

            // No two of them are one.
            all[i][0].zero_();
            CpuBackendTests.Close(expected[2], all[i][2], 1e-6);
        }
    }
}
