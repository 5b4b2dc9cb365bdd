using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>Mean negative log likelihood, in nats, of the target ids.</summary>
public static class CrossEntropy
{
    /// <summary>The plain definition.</summary>
    /// <param name="logits">(N, V).</param>
    /// <param name="targets">(N) of int64.</param>
    /// <returns>A scalar.</returns>
    public static Tensor Reference(Tensor logits, Tensor targets)
    {
        var wide = logits.dtype == ScalarType.Float32 ? logits : logits.to(ScalarType.Float32);
        return nn.functional.cross_entropy(wide, targets);
    }
}
