using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>The gated activation <c>silu(gate) · up</c> (Shazeer, 2020).</summary>
public static class SwiGlu
{
    /// <summary>The plain definition; both inputs have the shape of the result.</summary>
    public static Tensor Reference(Tensor gate, Tensor up) => nn.functional.silu(gate).mul(up);
}
