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

    /// <summary>Starts the compiler in the background, so that the first <see cref="Compile"/> finds it awake. Returns at once.</summary>
    public static void WarmUp() => KernelCompiler.WarmUp();
}
