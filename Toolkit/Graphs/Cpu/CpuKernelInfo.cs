namespace Toolkit.Graphs.Cpu;

/// <summary>A kernel of a compiled graph.</summary>
/// <param name="Source">Its C#.</param>
/// <param name="Nodes">What it computes: an entry for each place of the graph where it is called.</param>
/// <param name="Bytes">Bytes read and written, over all its calls in one run of the graph.</param>
/// <param name="Flops">Floating-point operations likewise.</param>
public sealed record CpuKernelInfo(KernelSource Source, IReadOnlyList<IReadOnlyList<Node>> Nodes, long Bytes, long Flops)
{
    /// <summary>Name of the method.</summary>
    public string Name => Source.Name;

    /// <summary>How many times one run of the graph calls it.</summary>
    public int Calls => Nodes.Count;

    /// <summary>Time of all its calls in one run; null until <see cref="CpuExecutable.Profile"/> has measured it.</summary>
    public TimeSpan? Time { get; internal set; }

    /// <summary>One line.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"{Name}: {Quantity.Of(Calls, "call")}, {Bytes:N0} bytes, {Flops:N0} FLOPs{(Time is { } time ? $", {time.TotalMicroseconds:N1} µs" : "")}");
}
