using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>Scaled dot-product attention in the layout (B, T, H, D) with grouped key-value heads (Ainslie et al., 2023), causal unless a mask says otherwise.</summary>
public static class Attention
{
    /// <summary>The plain definition: softmax(q·kᵀ/√D + mask)·v, every intermediate visible.</summary>
    /// <param name="q">(B, T, H, D): queries of the last T of S positions.</param>
    /// <param name="k">(B, S, Hkv, D).</param>
    /// <param name="v">(B, S, Hkv, D).</param>
    /// <param name="mask">Broadcast to (B, H, T, S): of bool, true where a query sees a key; or numbers added to the scores. Default: causal.</param>
    /// <param name="scale">What the products are multiplied by; default 1/√D.</param>
    /// <param name="softCap">c of c·tanh(score/c), which keeps scores below c (Gemma 2); default: none.</param>
    /// <returns>(B, T, H, D).</returns>
    public static Tensor Reference(Tensor q, Tensor k, Tensor v, Tensor? mask = null, double? scale = null, double? softCap = null)
    {
        var group = q.shape[2] / k.shape[2];
        using var factor = (scale ?? (1.0 / Math.Sqrt(q.shape[3]))).ToScalar();
        var scores = q.transpose(1, 2).matmul(Expand(k, group).transpose(1, 2).transpose(2, 3)).mul(factor); // (B, H, T, S)
        if (softCap is { } cap)
        {
            scores = SoftCap(scores, cap);
        }

        mask ??= CausalMask(q.shape[1], k.shape[1], q.device);
        using var minusInfinity = double.NegativeInfinity.ToScalar();
        scores = mask.dtype == ScalarType.Bool ? scores.masked_fill(mask.logical_not(), minusInfinity) : scores.add(mask, Scalars.One);
        return scores.softmax(-1).matmul(Expand(v, group).transpose(1, 2)).transpose(1, 2);
    }

    /// <summary>The same through libtorch's fused kernels; one query position needs no expanded heads.</summary>
    /// <inheritdoc cref="Reference"/>
    [GraphOperator("toolkit::attention")]
    public static Tensor Apply(Tensor q, Tensor k, Tensor v, Tensor? mask = null, double? scale = null, double? softCap = null)
    {
        if (softCap is not null)
        {
            return Reference(q, k, v, mask, scale, softCap);
        }

        if (scale is { } wanted)
        {
            // The kernels divide by √D themselves.
            using var factor = (wanted * Math.Sqrt(q.shape[3])).ToScalar();
            q = q.mul(factor);
        }

        long time = q.shape[1], positions = k.shape[1], keyValueHeads = k.shape[2], group = q.shape[2] / keyValueHeads;
        if (time == 1)
        {
            // The heads of a group become query positions of their key-value head: nothing is expanded, nothing is copied.
            var grouped = q.reshape(q.shape[0], keyValueHeads, group, q.shape[3]); // (B, Hkv, G, D)
            var groupedMask = mask is null || mask.dim() < 3 || mask.shape[1] == 1 ? mask : mask.reshape(mask.shape[0], keyValueHeads, group, positions);
            return nn.functional.scaled_dot_product_attention(grouped, k.transpose(1, 2), v.transpose(1, 2), groupedMask).reshape(q.shape);
        }

        mask ??= time == positions ? null : CausalMask(time, positions, q.device);
        return nn.functional.scaled_dot_product_attention(
            q.transpose(1, 2), Expand(k, group).transpose(1, 2), Expand(v, group).transpose(1, 2), mask, 0.0, is_casual: mask is null).transpose(1, 2);
    }

    /// <summary>c·tanh(x/c): close to x where it is small, never beyond ±c.</summary>
    public static Tensor SoftCap(Tensor x, double cap)
    {
        using var factor = cap.ToScalar();
        return x.div(factor).tanh().mul(factor);
    }

    /// <summary>(T, S) of bool: the last T of S positions, each seeing itself and what precedes it, or the last <paramref name="window"/> of that.</summary>
    public static Tensor CausalMask(long time, long positions, Device device, long? window = null)
    {
        var mask = ones([time, positions], ScalarType.Bool, device).tril(positions - time);
        return window is { } width && width < positions ? mask.triu(positions - time - width + 1) : mask;
    }

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
