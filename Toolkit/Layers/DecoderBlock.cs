using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>One layer of a decoder: attention, then feed-forward, each behind a norm and added to the residual stream.</summary>
public sealed class DecoderBlock : nn.Module
{
    [ComponentName(Name = "input_layernorm")]
    private readonly RmsNormLayer _attentionNorm;

    [ComponentName(Name = "self_attn")]
    private readonly AttentionBlock _attention;

    [ComponentName(Name = "post_attention_layernorm")]
    private readonly RmsNormLayer _feedForwardNorm;

    [ComponentName(Name = "mlp")]
    private readonly FeedForward _feedForward;

    /// <summary>A block of these parts.</summary>
    public DecoderBlock(RmsNormLayer attentionNorm, AttentionBlock attention, RmsNormLayer feedForwardNorm, FeedForward feedForward)
        : base(nameof(DecoderBlock))
    {
        (_attentionNorm, _attention, _feedForwardNorm, _feedForward) = (attentionNorm, attention, feedForwardNorm, feedForward);
        RegisterComponents();
    }

    /// <summary>Precedes the queries, keys and values.</summary>
    public RmsNormLayer AttentionNorm => _attentionNorm;

    /// <summary>The attention half.</summary>
    public AttentionBlock Attention => _attention;

    /// <summary>Precedes the gate and up linears.</summary>
    public RmsNormLayer FeedForwardNorm => _feedForwardNorm;

    /// <summary>The feed-forward half.</summary>
    public FeedForward FeedForward => _feedForward;

    /// <summary>(B, T, width) to (B, T, width).</summary>
    public Tensor Forward(Tensor x, Tensor cos, Tensor sin, KvCache? cache)
    {
        x = x.add(_attention.Forward(_attentionNorm.forward(x), cos, sin, cache), Ops.Scalars.One);
        return x.add(_feedForward.forward(_feedForwardNorm.forward(x)), Ops.Scalars.One);
    }
}
