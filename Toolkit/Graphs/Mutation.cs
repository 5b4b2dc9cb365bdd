namespace Toolkit.Graphs;

/// <summary>What an input holds after the graph has run: the graph itself computes values and changes none.</summary>
/// <param name="Target">The input that is overwritten (a cache, a running mean).</param>
/// <param name="Value">What it becomes; of the same type.</param>
public sealed record Mutation(GraphInput Target, Value Value);
