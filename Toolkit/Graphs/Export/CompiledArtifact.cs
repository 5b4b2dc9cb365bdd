using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>
/// A compiled module from a file. It computes without gradients what the module computed when it was saved, for arguments of the types that were captured; state that the module changes
/// (running means, caches) is the artifact's own and goes on from where it was saved.
/// </summary>
public sealed class CompiledArtifact : IDisposable
{
    /// <summary>The entry with the weights.</summary>
    internal const string WeightsEntry = "weights.safetensors";

    private readonly ArtifactManifest _manifest;
    private readonly ArtifactCall[] _calls;
    private readonly Dictionary<string, Tensor> _weights;
    private readonly KernelAssembly[] _code;
    private readonly CallsUnderWay _running;

    internal CompiledArtifact(string path, ArtifactManifest manifest, ArtifactCall[] calls, Dictionary<string, Tensor> weights, KernelAssembly[] code, IReadOnlyList<KernelSource> sources) =>
        (Path, _manifest, _calls, _weights, _code, Sources, _running) = (path, manifest, calls, weights, code, sources, new(() => Free(calls, weights)));

    /// <summary>The file that it was loaded from.</summary>
    public string Path { get; }

    /// <summary>Name of the module's class.</summary>
    public string Module => _manifest.Module;

    /// <summary>What it was saved with.</summary>
    public ArtifactVersions Versions => _manifest.Versions;

    /// <summary>The calls that it serves.</summary>
    public IReadOnlyList<ArtifactSignature> Signatures => [.. _calls.Select(call => call.Signature)];

    /// <summary>The graphs, one for each signature.</summary>
    public IReadOnlyList<Graph> Graphs => [.. _calls.Select(call => call.Executable.Graph)];

    /// <summary>What was so when each graph was captured, for people.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Guards => [.. _manifest.Graphs.Select(graph => graph.Guards)];

    /// <summary>What runs each graph.</summary>
    public IReadOnlyList<CompiledGraph> Executables => [.. _calls.Select(call => call.Executable)];

    /// <summary>The C# that was saved, a file for each set of kernels.</summary>
    public IReadOnlyList<KernelSource> Sources { get; }

    /// <summary>Parameters, buffers, caches and constants, by name; they are the artifact's own.</summary>
    public IReadOnlyDictionary<string, Tensor> Weights => _weights;

    /// <summary>How many of the saved sets of machine code fit this machine; what does not was compiled again.</summary>
    public int LoadedCode => _code.Length;

    /// <summary>Calls it.</summary>
    /// <param name="arguments">The tensors of the call, in order; those in tuples and lists one after another.</param>
    /// <returns>What the module returned: a tensor, or tuples, arrays, lists, dictionaries of tensors; they belong to the caller.</returns>
    /// <exception cref="CompiledArtifactException">It was not saved for tensors of these types.</exception>
    public object? Run(params ReadOnlySpan<Tensor> arguments)
    {
        ObjectDisposedException.ThrowIf(!_running.TryBegin(), this);
        try
        {
            return Serve(arguments);
        }
        finally
        {
            _running.End();
        }
    }

    private object? Serve(ReadOnlySpan<Tensor> arguments)
    {
        foreach (var argument in arguments)
        {
            if (argument is null || argument.IsInvalid)
            {
                throw new CompiledArtifactException($"{Module} is given {(argument is null ? "null" : "a tensor that was freed")} in place of a tensor");
            }
        }

        foreach (var call in _calls)
        {
            if (call.Takes(arguments))
            {
                var result = call.Run(arguments);
                foreach (var argument in arguments)
                {
                    GC.KeepAlive(argument);
                }

                return result;
            }
        }

        var given = new List<string>();
        foreach (var argument in arguments)
        {
            given.Add(TensorType.Of(argument).ToString());
        }

        throw new CompiledArtifactException($"{Module} was saved for {string.Join(" or ", Signatures)}, and is given ({string.Join(", ", given)})");
    }

    /// <summary>Calls it, where it returns one tensor.</summary>
    /// <inheritdoc cref="Run(ReadOnlySpan{Tensor})"/>
    public Tensor forward(params ReadOnlySpan<Tensor> arguments) => forward<Tensor>(arguments);

    /// <summary>Calls it, where it returns a <typeparamref name="TResult"/>.</summary>
    /// <inheritdoc cref="Run(ReadOnlySpan{Tensor})"/>
    public TResult forward<TResult>(params ReadOnlySpan<Tensor> arguments) => Run(arguments) is var result && result is TResult typed
        ? typed
        : throw new CompiledArtifactException($"{Module} returns {result?.GetType().Name ?? "null"}, not {typeof(TResult).Name}");

    /// <summary>Frees weights and machine code.</summary>
    public void Dispose() => _running.Close();

    private static void Free(ArtifactCall[] calls, Dictionary<string, Tensor> weights)
    {
        Array.ForEach(calls, call => call.Dispose());
        foreach (var weight in weights.Values)
        {
            weight.Dispose();
        }
    }

    /// <summary>Module and signatures.</summary>
    public override string ToString() => $"{Module} {string.Join(" or ", Signatures)}";
}
