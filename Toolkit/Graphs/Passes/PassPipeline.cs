using System.Collections.Immutable;
using System.Diagnostics;

namespace Toolkit.Graphs.Passes;

/// <summary>Passes one after another, with the verifier between them.</summary>
/// <param name="passes">The passes, in order.</param>
public sealed class PassPipeline(params ReadOnlySpan<IGraphPass> passes)
{
    private const int MostRounds = 8;
    private readonly ImmutableArray<IGraphPass> _passes = [.. passes];

    /// <summary>What every back end wants: pure, without repetitions and without what nobody reads.</summary>
    public static PassPipeline Standard => new(
        new Functionalization(), new DeadCodeElimination(), new ViewElimination(), new AlgebraicSimplification(), new CommonSubexpressions(), new DeadCodeElimination());

    /// <summary>Runs them.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="records">What each of them did.</param>
    /// <exception cref="GraphException">A pass failed, or what it made is no graph; the message names it.</exception>
    public Graph Run(Graph graph, out ImmutableArray<PassRecord> records)
    {
        GraphVerifier.Verify(graph);
        var list = ImmutableArray.CreateBuilder<PassRecord>(_passes.Length);
        foreach (var pass in _passes)
        {
            var watch = Stopwatch.StartNew();
            try
            {
                var after = pass.Run(graph);
                GraphVerifier.Verify(after);
                list.Add(new(pass.Name, graph, after, watch.Elapsed));
                graph = after;
            }
            catch (GraphException exception)
            {
                throw new GraphException($"{pass.Name}: {exception.Message}", exception);
            }
        }

        records = list.ToImmutable();
        return graph;
    }

    /// <summary>Runs them.</summary>
    /// <inheritdoc cref="Run(Graph, out ImmutableArray{PassRecord})"/>
    public Graph Run(Graph graph) => Run(graph, out _);

    /// <summary>Runs them again and again until the number of nodes stays.</summary>
    /// <inheritdoc cref="Run(Graph, out ImmutableArray{PassRecord})"/>
    public Graph RunToEnd(Graph graph)
    {
        for (var round = 0; round < MostRounds; round++)
        {
            var after = Run(graph);
            if (after.Nodes.Length == graph.Nodes.Length)
            {
                return after;
            }

            graph = after;
        }

        return graph;
    }
}
