using System.Collections.Immutable;

namespace Toolkit.Graphs;

/// <summary>
/// What running a graph takes, known before anything runs. Bytes are those that every operation by itself moves, as eager execution does; kernels that fuse operations move fewer.
/// </summary>
public sealed record GraphCost
{
    /// <summary>Each node by itself, in order.</summary>
    public required ImmutableArray<NodeCost> Nodes { get; init; }

    /// <summary>Bytes of the inputs that belong to the module: parameters, buffers, caches, constants.</summary>
    public required long ParameterBytes { get; init; }

    /// <summary>Bytes of the arguments.</summary>
    public required long ArgumentBytes { get; init; }

    /// <summary>The most bytes of intermediate values and results that are needed at one time.</summary>
    public required long PeakActivationBytes { get; init; }

    /// <summary>Floating-point operations: an addition is one, a function such as exp is one.</summary>
    public long Flops => Nodes.Sum(node => node.Flops);

    /// <summary>Those of matrix products and convolutions among them.</summary>
    public long ProductFlops => Nodes.Sum(node => node.ProductFlops);

    /// <summary>Bytes read.</summary>
    public long BytesRead => Nodes.Sum(node => node.BytesRead);

    /// <summary>Bytes written.</summary>
    public long BytesWritten => Nodes.Sum(node => node.BytesWritten);

    /// <summary>The cost of a graph.</summary>
    public static GraphCost Of(Graph graph)
    {
        var storages = new Storages(graph);
        var live = storages.LiveBytes();
        return new()
        {
            Nodes = [.. graph.Nodes.Select((node, i) => Of(node, storages, live[i]))],
            ParameterBytes = graph.Inputs.Where(input => input.Kind != GraphInputKind.Argument).Sum(input => input.Type.Bytes),
            ArgumentBytes = graph.Inputs.Where(input => input.Kind == GraphInputKind.Argument).Sum(input => input.Type.Bytes),
            PeakActivationBytes = live.DefaultIfEmpty(0).Max(),
        };
    }

    /// <summary>As in <c>1,048,576 FLOPs, 12,288 bytes read, ...</c></summary>
    public override string ToString() => FormattableString.Invariant(
        $"{Flops:N0} FLOPs ({ProductFlops:N0} in products), {BytesRead:N0} bytes read, {BytesWritten:N0} written, {PeakActivationBytes:N0} bytes of activations at most, {ParameterBytes:N0} bytes of parameters");

    private static NodeCost Of(Node node, Storages storages, long live)
    {
        var (products, others) = FlopCount.Of(node);
        return new(node, products + others, products, storages.BytesRead(node), storages.BytesWritten(node), live);
    }
}
