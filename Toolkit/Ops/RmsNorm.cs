using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>Root mean square normalisation, <c>y = x / sqrt(mean(x²) + ε) · w</c> over the last dimension (Zhang and Sennrich, 2019).</summary>
public static class RmsNorm
{
    /// <summary>The plain definition. Statistics are taken in float32, as Hugging Face does.</summary>
    /// <param name="x">(..., D).</param>
    /// <param name="weight">(D).</param>
    /// <param name="epsilon">ε, a cached scalar.</param>
    public static Tensor Reference(Tensor x, Tensor weight, Scalar epsilon)
    {
        var wide = x.dtype == ScalarType.Float32 ? x : x.to(ScalarType.Float32);
        var inverse = wide.mul(wide).mean([-1], keepdim: true).add(epsilon).rsqrt();
        var normalised = wide.mul(inverse);
        return weight.mul(x.dtype == ScalarType.Float32 ? normalised : normalised.to(x.dtype));
    }
}
