using System.Collections.Immutable;
using Toolkit.Graphs.Cpu;
using Toolkit.Graphs.Passes;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>A graph made fast: simplified by passes, then given to the back end of its device. It computes what the graph computes.</summary>
public sealed class CompiledGraph : IExecutable
{
    private CompiledGraph(Graph graph, ImmutableArray<PassRecord> passes, IExecutable executable, string? whyInterpreted) =>
        (Graph, Passes, Executable, WhyInterpreted) = (graph, passes, executable, whyInterpreted);

    /// <summary>The graph as it was given.</summary>
    public Graph Graph { get; }

    /// <summary>What each pass made of it, in order.</summary>
    public ImmutableArray<PassRecord> Passes { get; }

    /// <summary>What runs it.</summary>
    public IExecutable Executable { get; }

    /// <summary>Why it runs operation by operation; null where it is compiled.</summary>
    public string? WhyInterpreted { get; }

    /// <summary>Its kernels; none where it is not compiled.</summary>
    public IReadOnlyList<CpuKernelInfo> Kernels => (Executable as CpuExecutable)?.Kernels ?? [];

    /// <summary>Compiles a graph for the CPU; what has no place there runs operation by operation, and <see cref="WhyInterpreted"/> says why.</summary>
    /// <param name="graph">The graph; it may change its inputs and hold views.</param>
    /// <param name="options">How it is compiled for the CPU.</param>
    /// <param name="mode">How far it is taken.</param>
    public static CompiledGraph Make(Graph graph, CpuOptions? options = null, CompileMode mode = CompileMode.Kernels)
    {
        if (mode == CompileMode.Captured)
        {
            return Interpreted(graph, [], "that was asked for");
        }

        if (graph.Values.FirstOrDefault(value => value.Type.Device != "cpu") is { } elsewhere)
        {
            return Interpreted(graph, [], $"%{elsewhere.Name} is on {elsewhere.Type.Device}, and kernels are made for the CPU");
        }

        ImmutableArray<PassRecord> passes = [];
        try
        {
            var simplified = PassPipeline.Standard.Run(graph, out passes);
            return mode == CompileMode.Simplified
                ? new(graph, passes, new GraphInterpreter(simplified), "that was asked for")
                : new(graph, passes, CpuBackend.Compile(simplified, options), null);
        }
        catch (GraphException exception)
        {
            return Interpreted(graph, passes, exception.Message);
        }
    }

    /// <summary>Takes note of the kernels that a graph would have, so that those of the same graph for another size serve it too.</summary>
    internal static void Learn(Graph graph, CpuOptions options)
    {
        try
        {
            CpuExecutable.Learn(PassPipeline.Standard.Run(graph, out _), options);
        }
        catch (GraphException)
        {
            // What cannot be compiled has no kernels.
        }
    }

    /// <summary>The graph, and what it was made into.</summary>
    public override string ToString() => $"{Graph}: {(WhyInterpreted is null ? Quantity.Of(Kernels.Count, "kernel") : $"runs operation by operation, for {WhyInterpreted}")}";

    /// <inheritdoc/>
    public Tensor[] Run(ReadOnlySpan<Tensor> inputs) => Executable.Run(inputs);

    /// <inheritdoc/>
    public void Dispose() => Executable.Dispose();

    private static CompiledGraph Interpreted(Graph graph, ImmutableArray<PassRecord> passes, string why) => new(graph, passes, new GraphInterpreter(graph), why);
}
