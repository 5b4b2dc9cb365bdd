using Toolkit.Graphs;
using Toolkit.Graphs.Passes;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs;

/// <summary>A pass keeps what a graph computes, whatever the graph.</summary>
public sealed class PassPropertyTests
{
    private const int Graphs = 5000;

    [Fact]
    public void PassesKeepTheMeaningOfRandomGraphs()
    {
        var (ran, mutated, shrunk) = (0, 0, 0);
        for (var seed = 0; seed < Graphs; seed++)
        {
            using var scope = NewDisposeScope();
            var random = new RandomGraph(seed, seed % 2 == 0);
            GraphVerifier.Verify(random.Graph);
            Tensor[] expected;
            try
            {
                expected = Run(random.Graph, random, seed);
            }
            catch (GraphException)
            {
                // libtorch has no kernel for what was drawn.
                continue;
            }

            var graph = new Functionalization().Run(random.Graph);
            GraphVerifier.Verify(graph, pure: true);
            mutated += graph.Mutations.Length > 0 ? 1 : 0;
            Same(expected, Run(graph, random, seed), 0, seed, "functionalisation", graph);
            var before = graph.Nodes.Length;
            foreach (var (pass, tolerance) in new (IGraphPass, double)[]
            {
                (new DeadCodeElimination(), 0), (new ViewElimination(), 1e-5), (new AlgebraicSimplification(), 1e-5), (new CommonSubexpressions(), 1e-5), (new Decomposition(), 1e-4),
                (new ViewElimination(), 1e-4), (new CommonSubexpressions(), 1e-4),
            })
            {
                var after = pass.Run(graph);
                if (ReferenceEquals(after, graph))
                {
                    continue;
                }

                GraphVerifier.Verify(after, pure: true);
                Same(expected, Run(after, random, seed), tolerance, seed, pass.Name, after);
                shrunk += after.Nodes.Length < before ? 1 : 0;
                graph = after;
            }

            ran++;
        }

        Assert.True(ran > Graphs * 0.9 && mutated > Graphs / 10 && shrunk > Graphs / 2, $"{ran} ran, {mutated} changed inputs, {shrunk} became smaller");
    }

    [Fact]
    public void FoldedConstantsAreWhatTheyWere()
    {
        var folded = 0;
        for (var seed = 0; seed < 500; seed++)
        {
            using var scope = NewDisposeScope();
            var random = new RandomGraph(seed, false);
            Tensor[] expected;
            try
            {
                expected = Run(random.Graph, random, seed);
            }
            catch (GraphException)
            {
                continue;
            }

            var inputs = random.Inputs(seed);
            var constants = random.Graph.Inputs.Zip(inputs).Where(pair => pair.First.Kind == GraphInputKind.Constant).ToDictionary(pair => pair.First.Path, pair => pair.Second);
            using var pass = new ConstantFolding(constants);
            var graph = pass.Run(random.Graph);
            GraphVerifier.Verify(graph);
            folded += pass.Folded.Count;
            Same([.. expected.Take(graph.Outputs.Length)], GraphInterpreter.Run(graph, [.. inputs, .. pass.Folded.Values]), 0, seed, pass.Name, graph);
        }

        Assert.True(folded > 100, $"{folded} constants");
    }

    /// <summary>The outputs, then the inputs as they are left.</summary>
    private static Tensor[] Run(Graph graph, RandomGraph random, int seed)
    {
        var inputs = random.Inputs(seed);
        return [.. GraphInterpreter.Run(graph, inputs), .. inputs];
    }

    private static void Same(Tensor[] expected, Tensor[] actual, double tolerance, int seed, string pass, Graph graph)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            var (x, y) = (expected[i], actual[i]);
            Assert.Equal(TensorType.Of(x), TensorType.Of(y));
            if (x.numel() == 0)
            {
                continue;
            }

            if (x.dtype == ScalarType.Bool)
            {
                (x, y) = (x.to(ScalarType.Int64), y.to(ScalarType.Int64));
            }

            var scale = tolerance == 0 || !x.is_floating_point() ? 0 : tolerance * Math.Max(1, x.nan_to_num(0, 0, 0).abs().max().to(ScalarType.Float64).ToDouble());
            if (!x.allclose(y, tolerance, scale, equal_nan: true))
            {
                Assert.Fail($"seed {seed}, {pass}, tensor {i}:\n{string.Join("\n", graph.Nodes)}\nexpected {x.str()}\nactual {y.str()}");
            }
        }
    }
}
