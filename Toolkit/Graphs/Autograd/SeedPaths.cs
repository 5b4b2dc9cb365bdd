namespace Toolkit.Graphs.Autograd;

/// <summary>Where the gradients of outputs (the seeds) lead in a backward graph.</summary>
internal sealed class SeedPaths
{
    /// <summary>Follows them.</summary>
    /// <param name="backward">The graph; the seeds are its first inputs.</param>
    /// <param name="seeds">How many there are.</param>
    public SeedPaths(Graph backward, int seeds)
    {
        var reached = new Dictionary<Value, SortedSet<int>>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < seeds; i++)
        {
            reached[backward.Inputs[i]] = [i];
        }

        foreach (var node in backward.Nodes)
        {
            SortedSet<int> all = [.. node.Inputs.SelectMany(input => reached.GetValueOrDefault(input, []))];
            foreach (var output in node.Outputs)
            {
                reached[output] = all;
            }
        }

        // What no seed leads to is computed again of what was kept.
        var kept = backward.Inputs.Skip(seeds).ToHashSet<Value>(ReferenceEqualityComparer.Instance);
        foreach (var node in backward.Nodes.Where(node => reached[node.Outputs[0]].Count == 0 && node.Inputs.Any(kept.Contains)))
        {
            kept.UnionWith(node.Outputs);
        }

        OfGradients = [.. backward.Outputs.Select(output => reached.GetValueOrDefault(output, []).ToArray())];
        Readers = [.. backward.Nodes.Where(node => node.Inputs.Any(kept.Contains)).Select(node => reached[node.Outputs[0]]).Where(seedsOf => seedsOf.Count > 0)
            .DistinctBy(seedsOf => string.Join(' ', seedsOf)).Select(seedsOf => seedsOf.ToArray())];
    }

    /// <summary>For each gradient, the seeds that it depends on.</summary>
    public IReadOnlyList<int[]> OfGradients { get; }

    /// <summary>For each place that reads what was kept of the forward pass, the seeds that lead there.</summary>
    public IReadOnlyList<int[]> Readers { get; }
}
