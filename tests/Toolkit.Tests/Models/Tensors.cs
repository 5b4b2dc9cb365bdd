using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

internal static class Tensors
{
    /// <summary>The largest difference of two values at the same place.</summary>
    public static float Difference(Tensor a, Tensor b)
    {
        Assert.Equal(a.shape, b.shape);
        return a.sub(b).abs().max().item<float>();
    }

    /// <summary>(B, 1): the most probable token after the last position, one excepted.</summary>
    public static Tensor Best(Tensor logits, int except)
    {
        var last = logits.select(1, -1).clone();
        last.narrow(1, except, 1).fill_(float.NegativeInfinity);
        return last.argmax(-1, true);
    }
}
