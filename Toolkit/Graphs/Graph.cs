using System.Collections.Immutable;

namespace Toolkit.Graphs;

/// <summary>
/// Tensor operations in the order in which they run. A graph does not change: <see cref="GraphBuilder"/> makes one, a pass makes another from it. Nodes stand after what they read.
/// A graph that came through functionalisation is pure: no operator changes an input, and what the program changed is in <see cref="Mutations"/>.
/// </summary>
public sealed class Graph
{
    internal Graph(ImmutableArray<GraphInput> inputs, ImmutableArray<Node> nodes, ImmutableArray<Value> outputs, ImmutableArray<Mutation> mutations) =>
        (Inputs, Nodes, Outputs, Mutations) = (inputs, nodes, outputs, mutations);

    /// <summary>What it is given, in the order of a call.</summary>
    public ImmutableArray<GraphInput> Inputs { get; }

    /// <summary>What it does, in order.</summary>
    public ImmutableArray<Node> Nodes { get; }

    /// <summary>What it returns.</summary>
    public ImmutableArray<Value> Outputs { get; }

    /// <summary>What it leaves in its inputs, after everything has been read.</summary>
    public ImmutableArray<Mutation> Mutations { get; }

    /// <summary>All values: inputs, then what nodes compute.</summary>
    public IEnumerable<Value> Values => Inputs.Concat(Nodes.SelectMany(node => node.Outputs));

    /// <summary>How many times each value is read, by nodes and at the end.</summary>
    public IReadOnlyDictionary<Value, int> UseCounts()
    {
        var counts = new Dictionary<Value, int>(ReferenceEqualityComparer.Instance);
        foreach (var value in Nodes.SelectMany(node => node.Inputs).Concat(Outputs).Concat(Mutations.Select(mutation => mutation.Value)))
        {
            counts[value] = counts.GetValueOrDefault(value) + 1;
        }

        return counts;
    }
}
