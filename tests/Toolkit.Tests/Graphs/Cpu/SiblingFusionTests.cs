using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>What reads one tensor side by side is one kernel, where nothing else has to run between.</summary>
public sealed class SiblingFusionTests
{
    private static readonly TensorType Matrix = new(ScalarType.Float32, [37, 50]);

    [Fact]
    public void The_gradients_of_a_product_are_one_kernel()
    {
        var g = new GraphBuilder();
        var (a, b, gradient) = (Input(g, "a"), Input(g, "b"), Input(g, "gradient"));
        var graph = g.Build([g.Add("aten::mul.Tensor", gradient, b), g.Add("aten::mul.Tensor", gradient, a), g.Add("aten::sin", b)]);
        Assert.Equal(1, Kernels(graph));
    }

    [Fact]
    public void Sums_over_the_same_rows_are_one_kernel_and_sums_over_others_another()
    {
        var g = new GraphBuilder();
        var (x, gradient) = (Input(g, "x"), Input(g, "gradient"));
        Value Sum(Value value, long dim) => g.Add("aten::sum.dim_IntList", value, new[] { dim }, false);
        Assert.Equal(1, Kernels(g.Build([Sum(gradient, 0), Sum(g.Add("aten::mul.Tensor", gradient, x), 0)])));
        g = new GraphBuilder();
        (x, gradient) = (Input(g, "x"), Input(g, "gradient"));
        Assert.Equal(2, Kernels(g.Build([Sum(gradient, 0), Sum(g.Add("aten::sin", gradient), 1)])));
    }

    [Fact]
    public void What_needs_the_other_by_way_of_a_product_waits()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [64, 64]), GraphInputKind.Argument, "x");
        var product = g.Add("aten::mm", g.Add("aten::sin", x), x);
        Assert.Equal(2, Kernels(g.Build([g.Add("aten::add.Tensor", product, x)])));
    }

    [Fact]
    public void Readers_far_from_each_other_stay_apart()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [64, 64]), GraphInputKind.Argument, "x");
        var (first, chain) = (g.Add("aten::sin", x), g.Add("aten::mm", x, x));
        for (var i = 0; i < 20; i++)
        {
            chain = g.Add("aten::mm", chain, x);
        }

        Assert.Equal(2, Kernels(g.Build([first, chain, g.Add("aten::cos", x)])));
    }

    private static Value Input(GraphBuilder g, string name) => g.Input(Matrix, GraphInputKind.Argument, name);

    private static int Kernels(Graph graph)
    {
        using var scope = NewDisposeScope();
        var inputs = graph.Inputs.Select((input, i) => rand([.. input.Type.Shape], generator: new Generator((ulong)i)) / 8).ToArray();
        using var executable = CpuBackend.Compile(graph, new() { CacheFolder = null });
        var expected = GraphInterpreter.Run(graph, inputs);
        Assert.All(expected.Zip(executable.Run(inputs)), pair => CpuBackendTests.Close(pair.First, pair.Second, 1e-5));
        return executable.Kernels.Count;
    }
}
