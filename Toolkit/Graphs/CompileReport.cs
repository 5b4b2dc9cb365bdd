using System.Collections.Immutable;

namespace Toolkit.Graphs;

/// <summary>What became of a compiled module so far.</summary>
public sealed record CompileReport
{
    /// <summary>The graphs, in the order in which they were captured.</summary>
    public required ImmutableArray<Graph> Graphs { get; init; }

    /// <summary>Why graphs ended early.</summary>
    public required ImmutableArray<GraphBreak> Breaks { get; init; }

    /// <summary>Calls that no operator stands for; they run through TorchSharp in their place.</summary>
    public required ImmutableArray<string> OpaqueCalls { get; init; }

    /// <summary>Calls that no operator of a captured graph stands for, and whose own operations are in the graphs that train it (<see cref="ICompiledModule.TrainingGraph"/>).</summary>
    public ImmutableArray<string> OpenedCalls { get; init; } = [];

    /// <summary>How each graph that was captured while gradients were recorded is trained: compiled, or operation by operation and why.</summary>
    public ImmutableArray<string> Training { get; init; } = [];

    /// <summary>Why graphs are not compiled but run operation by operation, where that was not asked for.</summary>
    public ImmutableArray<string> Interpreted { get; init; } = [];

    /// <summary>Why further graphs were captured: for each the guard that did not hold.</summary>
    public required ImmutableArray<string> Recompiles { get; init; }

    /// <summary>Where calls that are split go on after a break, and how many graphs begin there.</summary>
    public ImmutableArray<string> Continuations { get; init; } = [];

    /// <summary>Sizes of dynamic dimensions for which a graph was made from one that was captured with other sizes: the module did not run for them.</summary>
    public long Sizes { get; init; }

    /// <summary>Why captured graphs stand for no other sizes of dynamic dimensions: calls with other sizes are captured in their turn.</summary>
    public ImmutableArray<string> OwnSizes { get; init; } = [];

    /// <summary>The limit that keeps further calls from being captured: <see cref="CompileOptions.RecompileLimit"/>; null where no call was kept from it.</summary>
    public int? LimitedBy { get; init; }

    /// <summary>The limit that keeps further sizes of dynamic dimensions from being compiled, for too many came once only: <see cref="CompileOptions.DynamicSizes"/>; null where none is.</summary>
    public int? SizesLimitedBy { get; init; }

    /// <summary>Conditions that are checked at each call.</summary>
    public required int Guards { get; init; }

    /// <summary>Calls that a graph served.</summary>
    public required long CompiledCalls { get; init; }

    /// <summary>Calls that were captured while they ran.</summary>
    public required long CapturedCalls { get; init; }

    /// <summary>Calls that ran eagerly, as the module itself runs.</summary>
    public required long EagerCalls { get; init; }

    /// <summary>As text, one line each.</summary>
    public override string ToString() => string.Join('\n', Lines());

    private IEnumerable<string> Lines()
    {
        yield return $"{Head()}; calls: {CompiledCalls} compiled, {CapturedCalls} captured, {EagerCalls} eager{(Sizes > 0 ? $"; {Quantity.Of(Sizes, "further size")}" : "")}";
        foreach (var graphBreak in Breaks)
        {
            yield return $"break: {graphBreak}";
        }

        foreach (var continuation in Continuations)
        {
            yield return $"goes on: {continuation}";
        }

        if (LimitedBy is { } limit)
        {
            yield return $"no further graphs: there are {limit} (CompileOptions.RecompileLimit); calls that none of them stands for run eagerly; dimensions that differ from call to call can be marked (CompileOptions.Dynamic)";
        }

        if (SizesLimitedBy is { } sizes)
        {
            yield return $"no further sizes: {sizes} are kept (CompileOptions.DynamicSizes), and many more came once only; calls of other sizes run eagerly";
        }

        foreach (var group in OpaqueCalls.GroupBy(call => call))
        {
            yield return $"opaque: {group.Key}{(group.Count() > 1 ? $" × {group.Count()}" : "")}";
        }

        foreach (var group in OpenedCalls.GroupBy(call => call))
        {
            yield return $"trained by its own operations: {group.Key}{(group.Count() > 1 ? $" × {group.Count()}" : "")}";
        }

        foreach (var group in Interpreted.GroupBy(reason => reason))
        {
            yield return $"runs operation by operation: {group.Key}{(group.Count() > 1 ? $" × {group.Count()}" : "")}";
        }

        foreach (var group in OwnSizes.GroupBy(reason => reason))
        {
            yield return $"sizes are captured one by one: {group.Key}{(group.Count() > 1 ? $" × {group.Count()}" : "")}";
        }

        foreach (var training in Training)
        {
            yield return training;
        }

        foreach (var recompile in Recompiles)
        {
            yield return $"recompiled, for it no longer held: {recompile}";
        }
    }

    private string Head()
    {
        var sizes = Graphs.Select(graph => graph.Nodes.Length).ToArray();
        return sizes.Length == 0 ? "no graph yet"
            : $"{Quantity.Of(sizes.Length, "graph")} of {(sizes.Distinct().Count() == 1 ? sizes[0] : string.Join(", ", sizes))} {(sizes.All(size => size == 1) ? "node" : "nodes")}{(sizes.Length > 1 && sizes.Distinct().Count() == 1 ? " each" : "")}, {Quantity.Of(Guards, "guard")}";
    }
}
