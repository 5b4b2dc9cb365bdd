namespace Toolkit.Graphs;

/// <summary>What running a node takes, by its types alone.</summary>
/// <param name="Node">The node.</param>
/// <param name="Flops">Floating-point operations: an addition is one, a function such as exp is one.</param>
/// <param name="ProductFlops">Those of matrix products and convolutions among them, also of the two products in attention: what a model's FLOPs usually mean.</param>
/// <param name="BytesRead">Bytes of the values that it reads; a view reads nothing.</param>
/// <param name="BytesWritten">Bytes of the values that it makes; a view makes nothing.</param>
/// <param name="LiveBytes">Bytes of all intermediate values that are needed while it runs.</param>
public sealed record NodeCost(Node Node, long Flops, long ProductFlops, long BytesRead, long BytesWritten, long LiveBytes)
{
    /// <summary>Operations for each byte that is moved: what the roofline is drawn over; 0 where nothing is moved.</summary>
    public double Intensity => BytesRead + BytesWritten == 0 ? 0 : (double)Flops / (BytesRead + BytesWritten);
}
