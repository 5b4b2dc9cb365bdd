namespace Toolkit.Graphs.Cpu;

/// <summary>A kernel as it was written: <c>static void (long begin, long end, byte** a, byte* scratch)</c> works on units begin to end.</summary>
internal sealed record KernelCode
{
    /// <summary>The body of the method, between its braces.</summary>
    public required string Body { get; init; }

    /// <summary>A word or two for its name.</summary>
    public required string Title { get; init; }

    /// <summary>What <c>a</c> holds the addresses of.</summary>
    public required IReadOnlyList<KernelBuffer> Arguments { get; init; }

    /// <summary>Numbers for which the text has names, reached through one more entry of <c>a</c>; null for none.</summary>
    public long[]? Numbers { get; init; }

    /// <summary>Number of pieces that can be computed independently.</summary>
    public required long Units { get; init; }

    /// <summary>Units that one call should have at least, where it works on several at a time and must fill and empty its pipeline.</summary>
    public long UnitsOfCall { get; init; } = 1;

    /// <summary>Bytes of memory that a thread needs for itself.</summary>
    public long ScratchBytes { get; init; }

    /// <summary>Bytes read and written.</summary>
    public required long Bytes { get; init; }

    /// <summary>Floating-point operations.</summary>
    public required long Flops { get; init; }

    /// <summary>Rough duration on one core, in nanoseconds: how much is worth another thread.</summary>
    public required double Nanoseconds { get; init; }
}
