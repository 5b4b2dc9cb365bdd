using System.Collections.Immutable;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>A recording of both passes, with what it ran on.</summary>
internal sealed class JointRecording : IDisposable
{
    private readonly Recording _recording;

    public JointRecording(
        Recording recording, Tensor[] before, Tensor[] after, Tensor[] seeds, ImmutableArray<int> seeded, IReadOnlyList<GraphInput> sources, int outputs, IReadOnlyList<Tensor> results)
    {
        _recording = recording;
        Before = Keep(before);
        After = Keep(after);
        Seeds = Keep(seeds);
        Results = Keep(results);
        try
        {
            if (recording.Reads.FirstOrDefault(read => !read.IsCertain) is { } read)
            {
                throw new GraphException($"the program reads a value: {read}");
            }

            Joint = JointGraph.Of(recording.Graph, before.Length, seeded, sources, outputs);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Both passes, pure.</summary>
    public JointGraph Joint { get; }

    /// <summary>Both passes as they were recorded.</summary>
    public Graph Recorded => _recording.Graph;

    /// <summary>The arguments before the run.</summary>
    public Tensor[] Before { get; }

    /// <summary>The arguments after the run.</summary>
    public Tensor[] After { get; }

    /// <summary>The gradients of the outputs.</summary>
    public Tensor[] Seeds { get; }

    /// <summary>Outputs, then gradients.</summary>
    public Tensor[] Results { get; }

    /// <summary>What was neither argument nor computed: what modules hold, and constants.</summary>
    public IReadOnlyList<Tensor> Others => _recording.Others;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in Before.Concat(After).Concat(Seeds).Concat(Results))
        {
            tensor.Dispose();
        }

        _recording.Dispose();
    }

    private static Tensor[] Keep(IEnumerable<Tensor> tensors)
    {
        using var still = no_grad();
        return [.. tensors.Select(tensor => tensor.detach().DetachFromDisposeScope())];
    }
}
