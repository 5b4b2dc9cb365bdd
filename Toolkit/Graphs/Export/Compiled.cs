using Toolkit.Graphs.Cpu;

namespace Toolkit.Graphs;

/// <summary>Compiled modules in files.</summary>
public static class Compiled
{
    /// <summary>
    /// Loads what <c>Save</c> of a compiled module wrote: its graphs, weights and machine code; the module's own code is not needed. On a machine like the one that it was saved on nothing is
    /// compiled; elsewhere (other vectors, another .NET) kernels are compiled from the graphs.
    /// </summary>
    /// <remarks>An artifact holds machine code that runs with the rights of this process: load only files that you trust, as you would run only programs that you trust. Checksums tell damage, not intent.</remarks>
    /// <param name="path">The file. It must stay as it is while the artifact is in use (replacing it is safe).</param>
    /// <param name="options">How it is compiled where that is needed.</param>
    /// <exception cref="CompiledArtifactException">It is no artifact, a newer one, damaged, made with another libtorch, or weights that it refers to are missing.</exception>
    public static CompiledArtifact Load(string path, CpuOptions? options = null) => ArtifactLoader.Load(path, options);
}
