using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>Scaled dot-product attention in which every position sees every other (Vaswani et al., 2017), in the layout (B, T, H, D).</summary>
public static class BidirectionalAttention
{
    /// <summary>The plain definition: softmax(q·kᵀ/√D)·v over the tokens.</summary>
    /// <param name="q">(B, T, H, D).</param>
    /// <param name="k">(B, T, H, D).</param>
    /// <param name="v">(B, T, H, D).</param>
    /// <param name="tokens">(B, T) of bool: true for a token, false for padding, which nobody sees; null where nothing is padded.</param>
    /// <returns>(B, T, H, D).</returns>
    public static Tensor Reference(Tensor q, Tensor k, Tensor v, Tensor? tokens)
    {
        using var scale = (1.0 / Math.Sqrt(q.shape[3])).ToScalar();
        var scores = q.transpose(1, 2).matmul(k.transpose(1, 2).transpose(2, 3)).mul(scale); // (B, H, T, T)
        if (tokens is not null)
        {
            scores = scores.masked_fill(tokens.logical_not().unsqueeze(1).unsqueeze(1), Scalars.MinusInfinity);
        }

        return scores.softmax(-1).matmul(v.transpose(1, 2)).transpose(1, 2);
    }

    /// <summary>The same through libtorch's fused kernels.</summary>
    /// <inheritdoc cref="Reference"/>
    public static Tensor Apply(Tensor q, Tensor k, Tensor v, Tensor? tokens) => nn.functional.scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), tokens?.unsqueeze(1).unsqueeze(1)).transpose(1, 2);
}
