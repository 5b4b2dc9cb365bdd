using System.Collections.Immutable;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>What a piece of program asked libtorch to do.</summary>
public sealed class Recording : IDisposable
{
    internal Recording(Graph graph, ImmutableArray<Tensor> others, ImmutableArray<DataRead> reads) => (Graph, Others, Reads) = (graph, others, reads);

    /// <summary>The operations in their order, operations in place and views as they were. First come the arguments, then what is in <see cref="Others"/>.</summary>
    public Graph Graph { get; }

    /// <summary>The tensors that the program took from elsewhere: one for each input of the graph behind the arguments (parameters, buffers, constants). They are references to the same memory.</summary>
    public ImmutableArray<Tensor> Others { get; }

    /// <summary>What the program learnt of values by way of the dispatcher. (What TorchSharp's <c>item</c> and <c>data</c> read from memory is not seen.)</summary>
    public ImmutableArray<DataRead> Reads { get; }

    /// <summary>The inputs for a run with other arguments.</summary>
    public Tensor[] Inputs(params ReadOnlySpan<Tensor> arguments) => [.. arguments, .. Others];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in Others)
        {
            tensor.Dispose();
        }
    }
}
