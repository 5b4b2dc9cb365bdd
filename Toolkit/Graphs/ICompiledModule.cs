using Toolkit.Graphs.Cpu;

namespace Toolkit.Graphs;

/// <summary>A compiled module, whatever its forward takes and returns.</summary>
public interface ICompiledModule
{
    /// <summary>The graph that was captured last.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    Graph Graph { get; }

    /// <summary>What runs the graph that was captured last.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    IExecutable Executable { get; }

    /// <summary>The kernels of the graph that was captured last; none where it runs operation by operation.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    IReadOnlyList<CpuKernelInfo> Kernels { get; }

    /// <summary>What became of the calls so far.</summary>
    CompileReport Explain();
}
