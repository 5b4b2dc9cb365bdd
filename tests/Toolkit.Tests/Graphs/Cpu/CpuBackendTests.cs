using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

public sealed class CpuBackendTests
{
    private static readonly CpuOptions Options = new() { CacheFolder = null };

    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    public void A_chain_of_pointwise_operations_is_one_kernel(int width)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [33, 17]), GraphInputKind.Argument, "x");
        var y = g.Input(new(ScalarType.Float32, [17]), GraphInputKind.Argument, "y");
        var z = g.Add("aten::mul.Tensor", g.Add("aten::tanh", g.Add("aten::add.Tensor", g.Add("aten::exp", x), y)), x);
        using var executable = CpuBackend.Compile(g.Build([z]), Options with { VectorWidth = width });
        Assert.Single(executable.Kernels);
        Assert.Empty(executable.FallbackCalls);
        using var scope = NewDisposeScope();
        var (a, b) = (randn(33, 17), randn(17));
        Close((a.exp() + b).tanh() * a, executable.Run([a, b])[0], 1e-5);
        var strided = randn(17, 33).t();
        Close((strided.exp() + b).tanh() * strided, executable.Run([strided, b])[0], 1e-5);
    }

    [Theory]
    [InlineData(5, 64)]
    [InlineData(3, 7)]
    [InlineData(1, 1000)]
    public void Norm_and_softmax_are_rows(int rows, int columns)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [rows, columns]), GraphInputKind.Argument, "x");
        var w = g.Input(new(ScalarType.Float32, [columns]), GraphInputKind.Parameter, "w");
        var b = g.Input(new(ScalarType.Float32, [columns]), GraphInputKind.Parameter, "b");
        var n = g.Add("aten::layer_norm", g.Add("aten::silu", x), new long[] { columns }, w, b, 1e-5);
        var s = g.Add("aten::_softmax", g.Add("aten::gelu", n), 1L, false);
        using var executable = CpuBackend.Compile(g.Build([n, s]), Options);
        using var scope = NewDisposeScope();
        var (tx, tw, tb) = (randn(rows, columns), randn(columns), randn(columns));
        var norm = nn.functional.layer_norm(nn.functional.silu(tx), [columns], tw, tb, 1e-5);
        var results = executable.Run([tx, tw, tb]);
        Close(norm, results[0], 1e-5);
        Close(nn.functional.gelu(norm).softmax(1), results[1], 1e-5);
        Assert.Single(executable.Kernels);
    }

    [Theory]
    [InlineData(1, ScalarType.Float32)]
    [InlineData(3, ScalarType.Float32)]
    [InlineData(8, ScalarType.Float32)]
    [InlineData(40, ScalarType.Float32)]
    [InlineData(1, ScalarType.BFloat16)]
    [InlineData(5, ScalarType.BFloat16)]
    public void A_product_with_what_follows_it(int rows, ScalarType type)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(type, [rows, 75]), GraphInputKind.Argument, "x");
        var w = g.Input(new(type, [130, 75]), GraphInputKind.Parameter, "w");
        var b = g.Input(new(type, [130]), GraphInputKind.Parameter, "b");
        var r = g.Input(new(type, [rows, 130]), GraphInputKind.Argument, "residual");
        var y = g.Add("aten::add.Tensor", g.Add("aten::silu", g.Add("aten::linear", x, w, b)), r);
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::cumsum", y, 1L)]), Options);
        using var scope = NewDisposeScope();
        Tensor[] inputs = [randn(rows, 75).to(type), randn(130, 75).to(type), randn(130).to(type), randn(rows, 130).to(type)];
        var expected = (nn.functional.silu(nn.functional.linear(inputs[0], inputs[1], inputs[2])) + inputs[3]).cumsum(1);
        Close(expected, executable.Run(inputs)[0], type == ScalarType.Float32 ? 1e-5 : 1e-2);
        Assert.Equal("aten::cumsum", Assert.Single(executable.FallbackCalls).Node.Operator.Name);
        Assert.Equal(rows > 8 ? 1 : 0, executable.LibTorchProducts);
    }

    [Fact]
    public void Inputs_that_lie_in_many_ways_are_copied_in_the_end()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [2, 3, 4]), GraphInputKind.Argument, "x");
        var y = g.Add("aten::exp", x);
        using var executable = CpuBackend.Compile(g.Build([y], [new(x, y)]), Options);
        using var scope = NewDisposeScope();
        for (var i = 0; i < 12; i++)
        {
            var memory = randn(2, 3, 4 + i).narrow(2, 0, 4);
            var expected = memory.exp();
            Close(expected, executable.Run([memory])[0], 1e-6);
            Close(expected, memory, 1e-6);
        }

        Assert.Equal(12 - CpuExecutable.MaximumLayouts, executable.InputCopies);
    }

    [Fact]
    public void Threads_may_call_at_the_same_time()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [300, 400]), GraphInputKind.Argument, "x");
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::_softmax", g.Add("aten::tanh", x), -1L, false)]), Options);
        System.Threading.Tasks.Parallel.For(0, 4, _ =>
        {
            for (var i = 0; i < 20; i++)
            {
                using var scope = NewDisposeScope();
                var input = randn(300, 400);
                Close(input.tanh().softmax(-1), executable.Run([input])[0], 1e-5);
            }
        });
    }

    [Fact]
    public void Bad_input_is_named()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [3, 4]), GraphInputKind.Argument, "hidden");
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::exp", x)]), Options);
        using var scope = NewDisposeScope();
        Assert.Equal("input 0 (\"hidden\") is f32[4, 3] where f32[3, 4] is wanted", Assert.Throws<GraphException>(() => executable.Run([randn(4, 3)])).Message);
        Assert.Contains("is f64[3, 4]", Assert.Throws<GraphException>(() => executable.Run([randn(3, 4, ScalarType.Float64)])).Message);
        Assert.Throws<ArgumentException>(() => executable.Run([]));
        executable.Dispose();
        Assert.Throws<ObjectDisposedException>(() => executable.Run([randn(3, 4)]));
    }

    [Fact]
    public void What_depends_on_no_input_is_computed_once()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [5, 5]), GraphInputKind.Argument, "x");
        var mask = g.Add("aten::tril", g.Add("aten::ones", new long[] { 5, 5 }, ScalarType.Bool), 0L);
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::masked_fill.Scalar", x, g.Add("aten::logical_not", mask), double.NegativeInfinity)]), Options);
        Assert.Empty(executable.FallbackCalls);
        using var scope = NewDisposeScope();
        var input = randn(5, 5);
        Assert.Equal(input.tril().sum().item<float>(), executable.Run([input])[0].nan_to_num(0, 0, 0).sum().item<float>(), 1e-5);
    }

    [Fact]
    public void An_operator_that_writes_is_refused()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [5]), GraphInputKind.Argument, "x");
        Assert.Contains("functionalised", Assert.Throws<GraphException>(() => CpuBackend.Compile(g.Build([g.Add("aten::exp_", x)]), Options)).Message);
    }

    internal static void Close(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.Equal(expected.dtype, actual.dtype);
        var (a, b) = (expected.to(ScalarType.Float64), actual.to(ScalarType.Float64));
        var error = ((a - b).norm() / (a.norm() + 1e-30)).item<double>();
        Assert.True(error <= tolerance, $"relative error {error:E2} where {tolerance:E2} is allowed");
    }
}
