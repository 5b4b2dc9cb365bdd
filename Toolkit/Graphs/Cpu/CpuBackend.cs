using static TorchSharp.torch;

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

    /// <summary>Starts the compiler in the background unless kernels of such a module are on disk already. Returns at once.</summary>
    /// <param name="kind">The class that will be captured.</param>
    /// <param name="module">It, or what has its parameters.</param>
    /// <param name="options">How.</param>
    internal static void WarmUpFor(Type kind, nn.Module module, CpuOptions options)
    {
        if (KernelCache.IsKnown(Name(kind, module), options.CacheFolder))
        {
            StartProfile.Record();
        }
        else
        {
            WarmUp();
        }
    }

    /// <summary>Remembers that kernels of a module are on disk.</summary>
    internal static void Remember(nn.Module module, CpuOptions options)
    {
        KernelCache.Remember(Name(module.GetType(), module), options.CacheFolder);
        StartProfile.End(isKept: true);
    }

    /// <summary>The class and the shapes of its parameters.</summary>
    private static string Name(Type kind, nn.Module module)
    {
        using var scope = NewDisposeScope();
        return $"{kind.AssemblyQualifiedName} {string.Join(' ', module.parameters().Select(parameter => $"{parameter.dtype}[{string.Join(',', parameter.shape)}]"))}";
    }

    /// <summary>Starts the compiler in the background, so that the first <see cref="Compile"/> finds it awake. Returns at once.</summary>
    public static void WarmUp() => KernelCompiler.WarmUp();
}
