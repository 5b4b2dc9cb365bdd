using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>Kernels that were compiled for some sizes serve others.</summary>
public sealed class KernelFormsTests
{
    /// <summary>Sizes below, at and above every width of a vector, block and chunk that kernels know.</summary>
    private static readonly (int Rows, int Columns)[] _sizes = [(3, 5), (40, 70), (2, 2), (7, 16), (5, 8), (64, 33), (9, 4096), (3, 9000), (700, 3), (1100, 17), (33, 64), (2, 1031), (129, 100)];

    private static readonly Dictionary<string, Func<GraphBuilder, Value, Value>> _bodies = new()
    {
        ["pointwise"] = (g, x) => g.Add("aten::mul.Tensor", x, g.Add("aten::sigmoid", g.Add("aten::tanh", x))),
        ["softmax"] = (g, x) => g.Add("aten::_softmax", x, -1, false),
        ["softmax of columns"] = (g, x) => g.Add("aten::_softmax", x, 0, false),
        ["mean"] = (g, x) => g.Add("aten::sub.Tensor", x, g.Add("aten::mean.dim", x, new long[] { 1 }, true)),
        ["mean of columns"] = (g, x) => g.Add("aten::sub.Tensor", x, g.Add("aten::mean.dim", x, new long[] { 0 }, true)),
        ["sum of all"] = (g, x) => g.Add("aten::sum.dim_IntList", g.Add("aten::tanh", x), new long[] { 0, 1 }, false),
        ["greatest"] = (g, x) => g.Add("aten::amax", x, new long[] { 1 }, false),
        ["transposed"] = (g, x) => g.Add("aten::relu", g.Add("aten::transpose.int", x, 0, 1)),
    };

    public static TheoryData<string> Bodies => [.. _bodies.Keys];

    [Theory]
    [MemberData(nameof(Bodies))]
    public void OtherSizesCompileNothing(string body)
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        var options = new CpuOptions { CacheFolder = null, Forms = new() };
        CpuExecutable.Learn(Graph(body, 24, 40), options);
        CpuExecutable.Learn(Graph(body, 31, 77), options);
        var (compiled, first) = (0, true);
        var kept = new List<CpuExecutable>(); // kernels that nobody holds any more are collected
        foreach (var (rows, columns) in _sizes)
        {
            var graph = Graph(body, rows, columns);
            using var executable = CpuExecutable.Compile([graph], options)[0];
            kept.Add(executable);
            var x = randn(rows, columns);
            var (expected, actual) = (GraphInterpreter.Run(graph, [x])[0], executable.Run([x])[0]);
            Assert.True(expected.allclose(actual, 1e-4, 1e-5), $"{rows} × {columns} differs");
            compiled += executable.KernelOrigin == KernelOrigin.Compiler ? 1 : 0;
            Assert.True(first || compiled <= 1, $"{rows} × {columns} was compiled");
            first = false;
        }

        GC.KeepAlive(kept);
    }

    [Fact]
    public void WithoutThemEachSizeHasItsOwnText()
    {
        var options = new CpuOptions { CacheFolder = null };
        using var one = CpuExecutable.Compile([Graph("softmax", 6, 21)], options)[0];
        using var other = CpuExecutable.Compile([Graph("softmax", 6, 22)], options)[0];
        Assert.NotEqual(one.Kernels[0].Source, other.Kernels[0].Source);
    }

    private static Graph Graph(string body, int rows, int columns)
    {
        var builder = new GraphBuilder();
        var x = builder.Input(new(ScalarType.Float32, [rows, columns]), GraphInputKind.Argument, "x");
        return builder.Build([_bodies[body](builder, x)]);
    }
}
