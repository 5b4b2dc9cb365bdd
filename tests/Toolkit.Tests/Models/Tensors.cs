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

    /// <summary>(B, 1): the most probable token after the last position, some excepted.</summary>
    public static Tensor Best(Tensor logits, IEnumerable<int> except)
    {
        var last = logits.select(1, -1).clone();
        foreach (var id in except)
        {
            last.narrow(1, id, 1).fill_(float.NegativeInfinity);
        }

        return last.argmax(-1, true);
    }
}
