using System.Collections.Immutable;
using Toolkit.Graphs.Cpu;

namespace Toolkit.Graphs;

/// <summary>How a module is compiled.</summary>
public sealed record CompileOptions
{
    /// <summary>Whether a call that cannot be captured whole is an error: <see cref="GraphBreakException"/>. Otherwise what can be captured is compiled and the rest runs eagerly.</summary>
    public bool FullGraph { get; init; }

    /// <summary>How many graphs a module may have (for other shapes, types, modes) before further calls run as they are, which <see cref="CompileReport.LimitedBy"/> then tells; at least 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1.</exception>
    public int RecompileLimit { get; init => field = AtLeastOne(value, nameof(RecompileLimit)); } = 8;

    /// <summary>
    /// Dimensions whose size differs from call to call. One capture and one set of kernels stand for their sizes where the program does the same with each; where it does not, each size is
    /// captured when it is met first, and <see cref="CompileReport.OwnSizes"/> tells why. Sizes do not count towards <see cref="RecompileLimit"/>: the <see cref="DynamicSizes"/> used last are kept.
    /// </summary>
    public ImmutableArray<DynamicDimension> Dynamic { get; init; } = [];

    /// <summary>
    /// How many sizes of <see cref="Dynamic"/> dimensions are kept, for each graph that differs in more than sizes; at least 1. When four times as many more came once only, as in a text that grows by a token a call,
    /// further sizes run as they are, which <see cref="CompileReport.SizesLimitedBy"/> then tells: making their graphs would take longer than it saves.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1.</exception>
    public int DynamicSizes { get; init => field = AtLeastOne(value, nameof(DynamicSizes)); } = 32;

    /// <summary>How far graphs are taken; default: <see cref="CompileMode.Kernels"/>.</summary>
    public CompileMode Mode { get; init; }

    /// <summary>Makes a graph ready to run, in place of <see cref="CompiledGraph.Make"/>: <see cref="Mode"/> and <see cref="Cpu"/> say nothing then. Where gradients are recorded it makes two: of the forward pass and of the backward pass.</summary>
    public Func<Graph, IExecutable>? Backend { get; init; }

    /// <summary>How graphs are compiled for the CPU: threads, vectors, where kernels are kept; null for the defaults of <see cref="CpuOptions"/>.</summary>
    public CpuOptions? Cpu { get; init; }

    private static int AtLeastOne(int value, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, name);
        return value;
    }
}
