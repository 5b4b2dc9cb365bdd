using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>One layer of an RWKV-4: time mixing, then channel mixing, each behind a norm and added to the residual stream.</summary>
public sealed class RwkvBlock : nn.Module
{
    [ComponentName(Name = "pre_ln")]
    private readonly LayerNormLayer? _embeddingNorm;

    [ComponentName(Name = "ln1")]
    private readonly LayerNormLayer _timeNorm;

    [ComponentName(Name = "ln2")]
    private readonly LayerNormLayer _channelNorm;

    [ComponentName(Name = "attention")]
    private readonly RwkvTimeMixing _time;

    [ComponentName(Name = "feed_forward")]
    private readonly RwkvChannelMixing _channels;

    /// <summary>A block whose matrices are not yet set to anything; the first also norms the embedding.</summary>
    public RwkvBlock(bool isFirst, int width, int timeWidth, int channelWidth, double epsilon, ScalarType dtype = ScalarType.Float32)
        : base(nameof(RwkvBlock))
    {
        _embeddingNorm = isFirst ? new LayerNormLayer(width, epsilon, dtype) : null;
        _timeNorm = new LayerNormLayer(width, epsilon, dtype);
        _channelNorm = new LayerNormLayer(width, epsilon, dtype);
        _time = new RwkvTimeMixing(width, timeWidth, dtype);
        _channels = new RwkvChannelMixing(width, channelWidth, dtype);
        RegisterComponents();
    }

    /// <summary>Mixes positions.</summary>
    public RwkvTimeMixing TimeMixing => _time;

    /// <summary>Mixes channels.</summary>
    public RwkvChannelMixing ChannelMixing => _channels;

    /// <summary>(B, T, width) to (B, T, width).</summary>
    /// <param name="x">The residual stream.</param>
    /// <param name="tokens">One for a token and zero for padding, (B, T, 1); null where nothing is padded.</param>
    /// <param name="scale">What the halves' results are multiplied by before they are added; null for one.</param>
    /// <param name="state">The state, and the block's number in it; or null.</param>
    /// <param name="number">The block's number.</param>
    public Tensor Forward(Tensor x, Tensor? tokens, Scalar? scale, RecurrentState? state, int number)
    {
        x = _embeddingNorm?.forward(x) ?? x;
        x = x.add(_time.Forward(_timeNorm.forward(x), tokens, state?[number, 0], state?[number, 1]), scale ?? Ops.Scalars.One);
        return x.add(_channels.Forward(_channelNorm.forward(x), tokens, state?[number, 2]), scale ?? Ops.Scalars.One);
    }
}
