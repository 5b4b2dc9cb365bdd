namespace Toolkit.Graphs.Cpu;

/// <summary>What a compiled graph does, in order, and with what memory.</summary>
internal sealed class Plan
{
    /// <summary>Groups of kernels, and calls that leave our code.</summary>
    public required IReadOnlyList<Segment> Segments { get; init; }

    /// <summary>All memory.</summary>
    public required KernelBuffer[] Buffers { get; init; }

    /// <summary>Bytes of the arena: intermediates that are never alive together share memory.</summary>
    public required long ArenaBytes { get; init; }

    /// <summary>Bytes that the intermediates would take side by side.</summary>
    public required long IntermediateBytes { get; init; }

    /// <summary>Most bytes that a run holds beside its inputs: the arena, what calls that leave our code return, which stays until the end, and the outputs.</summary>
    public long PeakBytes => ArenaBytes + Buffers.Where(buffer => buffer.Kind == BufferKind.Result || (buffer.Kind == BufferKind.Output && Handed[buffer.Index] is null)).Sum(buffer => buffer.Bytes);

    /// <summary>Copies that layouts made necessary.</summary>
    public required IReadOnlyList<string> Copies { get; init; }

    /// <summary>For each output the memory that is returned as it is, because a call of the graph made it; null where kernels write the output.</summary>
    public required KernelBuffer?[] Handed { get; init; }

    /// <summary>Cells to look at after a run, and what to say where one is set.</summary>
    public required IReadOnlyList<(KernelBuffer Cell, string Message)> Checks { get; init; }

    /// <summary>All kernels.</summary>
    public IEnumerable<KernelStep> Kernels => Segments.SelectMany(segment => segment.Phases).SelectMany(phase => phase);
}

/// <summary>Phases of kernels that run in one go, or one call that leaves our code.</summary>
internal sealed class Segment
{
    /// <summary>Kernels that need nothing of each other, phase after phase.</summary>
    public List<List<KernelStep>> Phases { get; } = [];

    /// <summary>The call; null for kernels.</summary>
    public Step? Call { get; init; }
}
