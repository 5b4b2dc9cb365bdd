using Toolkit.Graphs.Cpu;

namespace Toolkit.Graphs;

/// <summary>How a module is compiled.</summary>
public sealed record CompileOptions
{
    /// <summary>Whether a module that cannot be captured whole is an error. Otherwise what can be captured is compiled and the rest runs as it is.</summary>
    public bool FullGraph { get; init; }

    /// <summary>How many graphs a module may have (for other shapes, types, modes) before further calls run as they are.</summary>
    public int RecompileLimit { get; init; } = 8;

    /// <summary>How far graphs are taken.</summary>
    public CompileMode Mode { get; init; }

    /// <summary>Makes a graph ready to run; default: <see cref="CompiledGraph.Make"/>. Where gradients are recorded it makes two: of the forward pass and of the backward pass.</summary>
    public Func<Graph, IExecutable>? Backend { get; init; }

    /// <summary>How graphs are compiled for the CPU.</summary>
    public CpuOptions? Cpu { get; init; }
}
