using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

public sealed class CpuRandomGraphTests
{
    [Fact]
    public void Compiled_is_interpreted_on_random_graphs()
    {
        const int Batch = 500;
        var (ran, wrong) = (0, new List<string>());
        for (var first = 0; first < 5000; first += Batch)
        {
            var graphs = Enumerable.Range(first, Batch).Select(RandomGraphs.Make).ToArray();
            var executables = CpuExecutable.Compile(graphs, new() { CacheFolder = null, IsOptimized = false });
            for (var i = 0; i < Batch; i++)
            {
                using var executable = executables[i];
                if (Difference(executable, first + i) is { } difference)
                {
                    wrong.Add($"graph {first + i}: {difference}\n{string.Join('\n', graphs[i].Inputs.Select(input => input.ToString()).Concat(graphs[i].Nodes.Select(node => node.ToString())))}");
                }

                ran++;
            }
        }

        Assert.Equal(5000, ran);
        Assert.True(wrong.Count == 0, $"{wrong.Count} differ, such as\n{string.Join("\n\n", wrong.Take(3))}");
    }

    private static string? Difference(CpuExecutable executable, int seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed);
        var inputs = executable.Graph.Inputs.Select(input => randn(input.Type.Shape.ToArray(), ScalarType.Float32, generator: generator).to(input.Type.DType)).ToArray();
        if (seed % 100 == 0)
        {
            // The same values, lying otherwise: a program of its own, compiled by itself.
            inputs = [.. inputs.Select(input => input.dim() > 1 ? input.transpose(0, -1).contiguous().transpose(0, -1) : input)];
        }

        var expected = GraphInterpreter.Run(executable.Graph, inputs);
        var actual = executable.Run(inputs);
        for (var i = 0; i < expected.Length; i++)
        {
            var (a, b) = (expected[i].to(ScalarType.Float64).nan_to_num(7, 8, 9), actual[i].to(ScalarType.Float64).nan_to_num(7, 8, 9));
            if (!expected[i].shape.AsSpan().SequenceEqual(actual[i].shape) || expected[i].dtype != actual[i].dtype)
            {
                return $"output {i} is {TensorType.Of(actual[i])} where {TensorType.Of(expected[i])} is right";
            }

            // Values are of the order of 1: what should cancel to 0 (the sum of a layer norm) is held against that.
            // Where a step of floor or a comparison is taken otherwise because of rounding, few values differ by much: the others tell.
            var allowed = executable.Graph.Values.Any(value => value.Type.DType == ScalarType.BFloat16) ? 3e-2 : 1e-5;
            var distance = (a - b).abs() / (a.abs() + (a.abs().mean() + 1));
            var isSharp = executable.Graph.Nodes.Any(node => node.Operator.Name is "aten::floor" or "aten::where.self");
            var error = isSharp ? distance.flatten().quantile(tensor(0.9, ScalarType.Float64)).item<double>() : distance.max().item<double>();
            if (!(error <= allowed * 3) && !IsAsGood(executable.Graph, inputs, i, expected[i], actual[i]))
            {
                return $"output {i} differs by {error:E2}";
            }
        }

        return null;
    }

    /// <summary>Where the graph itself magnifies rounding, whether the compiled result is as close to that of double precision as the interpreted one.</summary>
    private static bool IsAsGood(Graph graph, Tensor[] inputs, int output, Tensor expected, Tensor actual)
    {
        var builder = new GraphBuilder();
        foreach (var input in graph.Inputs)
        {
            builder.Replace(input, builder.Input(input.Type with { DType = input.Type.DType == ScalarType.Bool ? ScalarType.Bool : ScalarType.Float64 }, input.Kind, input.Path));
        }

        foreach (var node in graph.Nodes)
        {
            var copy = builder.Add(node.Operator, [.. node.Arguments.Select(argument => argument.Map(builder.Of))]);
            for (var i = 0; i < node.Outputs.Length; i++)
            {
                builder.Replace(node.Outputs[i], copy.Outputs[i]);
            }
        }

        var exact = GraphInterpreter.Run(builder.BuildLike(graph), [.. inputs.Select(input => input.to(ScalarType.Float64))])[output];
        double Error(Tensor x) => (x.to(ScalarType.Float64) - exact).nan_to_num(0, 0, 0).abs().max().item<double>();

        // The layer norm of equal values is what their mean rounds, times 1/√ε.
        var magnified = graph.Nodes.Any(node => node.Operator.Name == "aten::layer_norm") ? 1e-6 / Math.Sqrt(1e-5) : 0;
        return Error(actual) <= (4 * Error(expected)) + magnified;
    }
}
