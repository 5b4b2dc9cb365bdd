using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>A short convolution over time, every channel on its own: position t is a weighted sum of the K positions up to t.</summary>
public static class CausalConvolution
{
    /// <summary>K products and sums of whole tensors: K is 4 or so, and nothing is transposed.</summary>
    /// <param name="x">(B, T, D).</param>
    /// <param name="weight">(D, 1, K): the last column is that of position t itself.</param>
    /// <param name="bias">(D), or null.</param>
    /// <param name="state">The K - 1 positions before, (B, K - 1, D), overwritten by the last K - 1 of these; null for zeros.</param>
    /// <returns>(B, T, D).</returns>
    public static Tensor Apply(Tensor x, Tensor weight, Tensor? bias, Tensor? state)
    {
        var (time, kernel) = (x.shape[1], weight.shape[2]);
        var before = state ?? zeros([x.shape[0], kernel - 1, x.shape[2]], x.dtype, x.device);
        var padded = cat([before, x], 1); // (B, K - 1 + T, D)
        var y = padded.narrow(1, 0, time).mul(weight.select(2, 0).squeeze(1));
        for (var i = 1L; i < kernel; i++)
        {
            y = y.add(padded.narrow(1, i, time).mul(weight.select(2, i).squeeze(1)), Scalars.One);
        }

        if (state is not null)
        {
            using var noGradient = no_grad();
            state.copy_(padded.narrow(1, time, kernel - 1));
        }

        return bias is null ? y : y.add(bias, Scalars.One);
    }
}
