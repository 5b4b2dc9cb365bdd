using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>Causal scaled dot-product attention in the layout (B, T, H, D) with grouped key-value heads (Ainslie et al., 2023).</summary>
public static class Attention
{
    /// <summary>The plain definition: softmax(q·kᵀ/√D + mask)·v, every intermediate visible.</summary>
    /// <param name="q">(B, T, H, D): queries of the last T of S positions.</param>
    /// <param name="k">(B, S, Hkv, D).</param>
    /// <param name="v">(B, S, Hkv, D).</param>
    /// <returns>(B, T, H, D).</returns>
    public static Tensor Reference(Tensor q, Tensor k, Tensor v)
    {
        var group = q.shape[2] / k.shape[2];
        using var scale = (1.0 / Math.Sqrt(q.shape[3])).ToScalar();
        using var minusInfinity = double.NegativeInfinity.ToScalar();
        var scores = q.transpose(1, 2).matmul(Expand(k, group).transpose(1, 2).transpose(2, 3)).mul(scale); // (B, H, T, S)
        var hidden = Mask(q.shape[1], k.shape[1], q.device).logical_not();
        var weights = scores.masked_fill(hidden, minusInfinity).softmax(-1);
        return weights.matmul(Expand(v, group).transpose(1, 2)).transpose(1, 2);
    }

    /// <summary>The same through libtorch's fused kernels; one query position needs neither a mask nor expanded heads.</summary>
    /// <inheritdoc cref="Reference"/>
    public static Tensor Causal(Tensor q, Tensor k, Tensor v)
    {
        long time = q.shape[1], positions = k.shape[1], keyValueHeads = k.shape[2], group = q.shape[2] / keyValueHeads;
        if (time == 1)
        {
            // The heads of a group become query positions of their key-value head: nothing is expanded, nothing is copied.
            var grouped = q.reshape(q.shape[0], keyValueHeads, group, q.shape[3]); // (B, Hkv, G, D)
            return nn.functional.scaled_dot_product_attention(grouped, k.transpose(1, 2), v.transpose(1, 2)).reshape(q.shape);
        }

        var mask = time == positions ? null : Mask(time, positions, q.device);
        return nn.functional.scaled_dot_product_attention(
            q.transpose(1, 2), Expand(k, group).transpose(1, 2), Expand(v, group).transpose(1, 2), mask, 0.0, is_casual: mask is null).transpose(1, 2);
    }

    /// <summary>(T, S) of bool: the last T of S positions, each seeing itself and what precedes it.</summary>
    private static Tensor Mask(long time, long positions, Device device) =>
        ones([time, positions], ScalarType.Bool, device).tril(positions - time);

    /// <summary>(B, S, Hkv, D) to (B, S, Hkv·group, D), every head repeated for its group of queries.</summary>
    private static Tensor Expand(Tensor x, long group)
    {
        if (group == 1)
        {
            return x;
        }

        var (batch, time, heads, width) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3]);
        return x.unsqueeze(3).expand(batch, time, heads, group, width).reshape(batch, time, heads * group, width);
    }
}
