using Toolkit.Layers;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>Ids to the hidden state that the head reads: the part that Hugging Face names <c>model</c>.</summary>
internal sealed class DecoderBody : nn.Module
{
    [ComponentName(Name = "embed_tokens")]
    private readonly Layers.Embedding _embedding;

    [ComponentName(Name = "layers")]
    private readonly ModuleList<DecoderBlock> _blocks;

    [ComponentName(Name = "norm")]
    private readonly RmsNormLayer _norm;

    private readonly RotaryTable _rotary;

    public DecoderBody(DecoderConfig config, ScalarType dtype)
        : base(nameof(DecoderBody))
    {
        _embedding = new Layers.Embedding(config.VocabularySize, config.Width, dtype);
        Blocks = [.. Enumerable.Range(0, config.Layers).Select(layer => Block(config, layer, dtype))];
        _blocks = new ModuleList<DecoderBlock>([.. Blocks]);
        _norm = new RmsNormLayer(config.Width, config.NormEpsilon, dtype);
        _rotary = new RotaryTable(config.HeadDimension, config.RopeTheta);
        RegisterComponents();
    }

    public Layers.Embedding Embedding => _embedding;

    public IReadOnlyList<DecoderBlock> Blocks { get; }

    public RmsNormLayer Norm => _norm;

    /// <summary>(B, T) of int64 to (B, T, width), normalised.</summary>
    public Tensor Forward(Tensor ids, KvCache? cache)
    {
        cache?.Require(ids.shape[0], ids.shape[1]);
        var x = _embedding.forward(ids); // (B, T, width)
        var (cos, sin) = _rotary.Rows(cache?.Length ?? 0, ids.shape[1], x.dtype, x.device);
        foreach (var block in Blocks)
        {
            x = block.Forward(x, cos, sin, cache);
        }

        cache?.Advance(ids.shape[1]);
        return _norm.forward(x);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _rotary.Dispose();
        }

        base.Dispose(disposing);
    }

    private static DecoderBlock Block(DecoderConfig c, int layer, ScalarType dtype) => new(
        new RmsNormLayer(c.Width, c.NormEpsilon, dtype),
        new AttentionBlock(layer, c.Width, c.Heads, c.KeyValueHeads, c.HeadDimension, c.AttentionBias, dtype),
        new RmsNormLayer(c.Width, c.NormEpsilon, dtype),
        new FeedForward(c.Width, c.FeedForwardWidth, c.FeedForwardBias, dtype));
}
