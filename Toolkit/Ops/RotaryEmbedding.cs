using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>Rotary position embedding (Su et al., 2021) in Hugging Face's convention: dimension i turns together with dimension i + D/2.</summary>
public static class RotaryEmbedding
{
    /// <summary>The plain definition.</summary>
    /// <param name="x">(B, T, H, D).</param>
    /// <param name="cos">(T, 1, D/2): cosine of every angle.</param>
    /// <param name="sin">(T, 1, D/2): sine of every angle.</param>
    public static Tensor Reference(Tensor x, Tensor cos, Tensor sin)
    {
        var half = x.shape[^1] / 2;
        var a = x.narrow(-1, 0, half);
        var b = x.narrow(-1, half, half);
        return cat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], -1);
    }
}
