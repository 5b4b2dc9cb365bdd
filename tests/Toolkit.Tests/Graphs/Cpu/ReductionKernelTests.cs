using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>Reductions over any dimensions, of inputs that lie in any way, have kernels; so have products of few rows with a matrix that lies either way.</summary>
public sealed class ReductionKernelTests
{
    private static readonly long[][] Shapes = [[7, 45], [40, 3, 33], [5, 6, 4, 9], [3, 70, 1, 17], [1100, 37], [2, 3, 4, 5, 6]];
    private static readonly string[] Reductions = ["sum.dim_IntList", "mean.dim", "amax", "amin", "var.correction", "_softmax", "_log_softmax", "rms"];

    [Fact]
    public void Any_dimensions_of_any_layout_are_reduced_in_kernels()
    {
        var cases = new List<(Graph Graph, int Case)>();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float64 })
        {
            foreach (var shape in Shapes)
            {
                for (var mask = 1; mask < 1 << shape.Length; mask++)
                {
                    var dims = Enumerable.Range(0, shape.Length).Where(d => (mask >> d & 1) != 0).Select(d => (long)d).ToArray();
                    var name = Reductions[(cases.Count + mask) % Reductions.Length];
                    if (dims.All(d => shape[d] == 1) || (type != ScalarType.Float32 && mask % 3 != 0))
                    {
                        continue;
                    }

                    cases.Add((Make(name, type, shape, dims), cases.Count));
                }
            }
        }

        Assert.True(cases.Count > 90, $"{cases.Count} cases");
        var executables = CpuExecutable.Compile(cases.Select(entry => entry.Graph), new() { CacheFolder = null, IsOptimized = false });
        var wrong = executables.Select((executable, i) => Difference(executable, i)).OfType<string>().ToArray();
        Assert.True(wrong.Length == 0, string.Join('\n', wrong.Take(10)));
    }

    [Theory]
    [InlineData(ScalarType.Float32, 1e-5)]
    [InlineData(ScalarType.BFloat16, 1e-2)]
    public void Few_rows_times_a_matrix_of_either_layout(ScalarType type, double tolerance)
    {
        var graphs = new List<Graph>();
        foreach (var columns in new long[] { 2, 13, 64, 200 })
        {
            for (var rows = 1L; rows <= 8; rows++)
            {
                var g = new GraphBuilder();
                var x = g.Input(new(type, [rows, 50]), GraphInputKind.Argument, "x");
                var (w, b) = (g.Input(new(type, [50, columns]), GraphInputKind.Parameter, "w"), g.Input(new(type, [columns]), GraphInputKind.Parameter, "b"));
                graphs.Add(g.Build([g.Add("aten::gelu", g.Add("aten::mul.Scalar", g.Add("aten::addmm", b, x, w), 0.7)), g.Add("aten::mm", x, w)]));
            }
        }

        foreach (var executable in CpuExecutable.Compile(graphs, new() { CacheFolder = null, IsOptimized = false }))
        {
            using var own = executable;
            using var scope = NewDisposeScope();
            using var generator = new Generator(3);
            Tensor[] inputs = [.. executable.Graph.Inputs.Select(input => randn(input.Type.Shape.ToArray(), ScalarType.Float32, generator: generator).to(type))];
            var (expected, actual) = (GraphInterpreter.Run(executable.Graph, inputs), executable.Run(inputs));
            CpuBackendTests.Close(expected[0], actual[0], tolerance);
            CpuBackendTests.Close(expected[1], actual[1], tolerance);
            Assert.Equal(0, executable.LibTorchProducts);
        }
    }

    [Fact]
    public void A_batch_norm_becomes_part_of_a_loop()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [2, 6, 5, 7]), GraphInputKind.Argument, "x");
        Value[] channels = [.. new[] { "w", "b", "mean", "var" }.Select(name => g.Input(new(ScalarType.Float32, [6]), GraphInputKind.Parameter, name))];
        var y = g.Add("aten::relu", g.Add("aten::batch_norm", x, channels[0], channels[1], channels[2], channels[3], false, 0.1, 1e-5, false));
        using var executable = CpuBackend.Compile(g.Build([y]), new CpuOptions { CacheFolder = null });
        using var scope = NewDisposeScope();
        Tensor[] inputs = [randn(2, 6, 5, 7), randn(6), randn(6), randn(6), rand(6) + 0.5];
        CpuBackendTests.Close(GraphInterpreter.Run(executable.Graph, inputs)[0], executable.Run(inputs)[0], 1e-5);
        Assert.Empty(executable.FallbackCalls);
    }

    [Fact]
    public void Long_columns_are_summed_as_exactly_as_libtorch_does()
    {
        const long Rows = 40_000;
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [Rows, 96]), GraphInputKind.Argument, "x");
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::sum.dim_IntList", x, new long[] { 0 }, false)]), new CpuOptions { CacheFolder = null });
        using var scope = NewDisposeScope();
        var input = rand(Rows, 96);
        var exact = input.to(ScalarType.Float64).sum([0L]);
        var error = ((executable.Run([input])[0].to(ScalarType.Float64) - exact).abs() / exact).max().item<double>();
        Assert.Empty(executable.FallbackCalls);
        Assert.True(error < 2e-6, $"{error:E2}");
    }

    [Theory]
    [InlineData(4, new long[] { 2, 300_001 })]
    [InlineData(8, new long[] { 2, 300_001 })]
    [InlineData(16, new long[] { 2, 300_001 })]
    [InlineData(16, new long[] { 3, 2, 700, 300 })]
    public void Long_rows_are_summed_as_exactly_as_libtorch_does(int width, long[] shape)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, Shape.Create(shape)), GraphInputKind.Argument, "x");
        long[] dims = [.. Enumerable.Range(1, shape.Length - 1).Where(d => d != 1 || shape.Length == 2).Select(d => (long)d)];
        var dear = g.Add("aten::add.Scalar", g.Add("aten::add.Tensor", g.Add("aten::mul.Tensor", g.Add("aten::tanh", x), g.Add("aten::sigmoid", x)), g.Add("aten::cos", x)), 2.0);
        Value[] results = [g.Add("aten::sum.dim_IntList", dear, dims, true), g.Add("aten::sum.dim_IntList", x, dims, false), g.Add("aten::var.correction", x, dims, 0.0, false), g.Add("aten::amax", x, dims, false)];
        using var executable = CpuBackend.Compile(g.Build(results), new CpuOptions { CacheFolder = null, VectorWidth = width });
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        var input = rand(shape, ScalarType.Float32, generator: generator) + 0.3;
        var wide = input.to(ScalarType.Float64);
        Tensor[] exact = [((wide.tanh() * wide.sigmoid()) + wide.cos() + 2).sum(dims, true), wide.sum(dims), wide.var(dims, unbiased: false), wide.amax(dims)];
        var actual = executable.Run([input]);
        Assert.Empty(executable.FallbackCalls);
        for (var i = 0; i < exact.Length; i++)
        {
            var error = ((actual[i].to(ScalarType.Float64) - exact[i]).abs() / exact[i]).max().item<double>();
            Assert.True(error < 1e-6, $"output {i}: {error:E2}");
        }
    }

    private static Graph Make(string name, ScalarType type, long[] shape, long[] dims)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(type, Shape.Create(shape)), GraphInputKind.Argument, "x");
        var scaled = g.Add("aten::mul.Scalar", x, 1.5);
        var reduced = name switch
        {
            "_softmax" or "_log_softmax" => g.Add($"aten::{name}", scaled, dims[0], false),
            "var.correction" => g.Add("aten::var.correction", scaled, dims, 0.0, true),
            "rms" => g.Add("aten::mul.Tensor", x, g.Add("aten::rsqrt", g.Add("aten::add.Scalar", g.Add("aten::mean.dim", g.Add("aten::square", scaled), dims, true), 0.1))),
            _ => g.Add($"aten::{name}", scaled, dims, shape.Length % 2 == 0),
        };
        return g.Build([g.Add("aten::sub.Tensor", reduced, g.Add("aten::tanh", reduced)), reduced]);
    }

    private static string? Difference(CpuExecutable executable, int number)
    {
        using var scope = NewDisposeScope();
        using var own = executable;
        using var generator = new Generator((ulong)number);
        var input = executable.Graph.Inputs[0];
        var x = randn(input.Type.Shape.ToArray(), ScalarType.Float32, generator: generator).to(input.Type.DType);

        // Some lie in another order: compiled again for that.
        x = number % 9 == 0 ? x.transpose(0, -1).contiguous().transpose(0, -1) : x;
        var (expected, actual) = (GraphInterpreter.Run(executable.Graph, [x]), executable.Run([x]));
        for (var i = 0; i < expected.Length; i++)
        {
            var (a, b) = (expected[i].to(ScalarType.Float64), actual[i].to(ScalarType.Float64));
            var error = ((a - b).abs() / (a.abs() + 1)).max().item<double>();
            if (!(error < (input.Type.DType == ScalarType.BFloat16 ? 2e-2 : 1e-5)) || executable.FallbackCalls.Count > 0)
            {
                return $"{string.Join("; ", executable.Graph.Nodes)} of {input.Type}: output {i} differs by {error:E2}, {executable.FallbackCalls.Count} fallbacks";
            }
        }

        return null;
    }
}
