namespace Toolkit.Graphs.Cpu;

/// <summary>How a graph is compiled for the CPU.</summary>
public sealed record CpuOptions
{
    /// <summary>Folder in which compiled kernels are kept; null for none. Default: <c>toolkit/kernels</c> in the user's local data.</summary>
    /// <exception cref="ArgumentException">It is empty, or cannot be the name of a folder.</exception>
    public string? CacheFolder
    {
        get;
        init
        {
            if (value is not null)
            {
                ArgumentException.ThrowIfNullOrWhiteSpace(value, nameof(CacheFolder));
            }

            field = value is null ? null : Path.GetFullPath(value);
        }
    } = KernelCache.DefaultFolder;

    /// <summary>Threads; 0 for as many as libtorch uses.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int Threads
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(Threads));
            field = value;
        }
    }

    /// <summary>Whether machine code is optimized at once; if not, .NET does so after some calls (for tests with many kernels that run once).</summary>
    internal bool IsOptimized { get; init; } = true;

    /// <summary>Where kernels of other sizes are remembered: then kernels are written so that one serves many sizes; null for kernels that are as fast as can be for one size.</summary>
    internal KernelForms? Forms { get; init; }

    /// <summary>Floats in a vector: 4, 8 or 16; 0 for what is fastest here. Wider ones than the machine has are slow, not wrong.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is another number.</exception>
    public int VectorWidth
    {
        get;
        init => field = value is 0 or 4 or 8 or 16 ? value : throw new ArgumentOutOfRangeException(nameof(VectorWidth), value, "there are vectors of 4, 8 and 16 floats, and 0 for what is fastest here");
    }
}
