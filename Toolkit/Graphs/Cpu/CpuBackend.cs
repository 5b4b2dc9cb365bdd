namespace Toolkit.Graphs.Cpu;

/// <summary>Makes graphs fast on the CPU: fused loops and matrix-vector products as C#, compiled by Roslyn in this process, beside libtorch's matrix products.</summary>
public static class CpuBackend
{
    /// <summary>Compiles a graph.</summary>
    /// <param name="graph">A pure graph (functionalised) whose tensors are on the CPU.</param>
    /// <param name="options">How; default: everything as this machine has it.</param>
    /// <returns>What runs it; it gives what the graph's interpreter gives, up to rounding.</returns>
    /// <exception cref="GraphException">An operator changes its input, or can neither be compiled nor evaluated.</exception>
    public static CpuExecutable Compile(Graph graph, CpuOptions? options = null) => CpuExecutable.Compile([graph], options ?? new())[0];

    /// <summary>Starts the compiler in the background unless kernels of something are on disk already. Returns at once.</summary>
    /// <param name="name">What will be compiled, as <see cref="Remember"/> was told.</param>
    /// <param name="options">How.</param>
    internal static void WarmUpFor(string name, CpuOptions options)
    {
        if (!KernelCache.IsKnown(name, options.CacheFolder))
        {
            WarmUp();
        }
    }

    /// <summary>Remembers that kernels of something are on disk.</summary>
    internal static void Remember(string name, CpuOptions options) => KernelCache.Remember(name, options.CacheFolder);

    /// <summary>Starts the compiler in the background, so that the first <see cref="Compile"/> finds it awake. Returns at once.</summary>
    public static void WarmUp() => KernelCompiler.WarmUp();
}
