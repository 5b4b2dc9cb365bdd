using Toolkit.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>Ids to the hidden state that the head reads: everything of a model but its head.</summary>
internal sealed class DecoderBody : nn.Module
{
    private readonly DecoderConfig _config;
    private readonly LearnedPositions? _learned;
    private readonly SinusoidalPositions? _sinusoidal;
    private readonly RotaryTable? _rotary;
    private readonly float[]? _slopes;
    private readonly Norm? _embeddingNorm;

    public DecoderBody(DecoderConfig config, DecoderNames names, ScalarType dtype)
        : base(nameof(DecoderBody))
    {
        _config = config;
        var parts = names.Inner is { } inner ? Add(this, inner, new Container()) : (nn.Module)this;
        Embedding = Add(parts, names.Embedding, new Layers.Embedding(config.VocabularySize, config.EmbeddingWidth ?? config.Width, dtype));
        if (config.Positions == PositionScheme.Learned)
        {
            _learned = Add(parts, names.Positions, new LearnedPositions(config.MaxPositions, config.Width, config.PositionOffset, dtype));
        }

        if (config.HasEmbeddingNorm)
        {
            _embeddingNorm = Add(parts, names.EmbeddingNorm, MakeNorm());
        }

        if (config.EmbeddingWidth is { } embedding)
        {
            ProjectIn = Add(parts, names.ProjectIn, new Layers.Linear(embedding, config.Width, dtype: dtype));
            ProjectOut = Add(parts, names.ProjectOut, new Layers.Linear(config.Width, embedding, dtype: dtype));
        }

        Blocks = [.. Enumerable.Range(0, config.Layers).Select(Block)];
        Add(parts, names.Blocks, new ModuleList<DecoderBlock>([.. Blocks]));
        FinalNorm = config.HasFinalNorm ? Add(parts, names.FinalNorm, MakeNorm()) : null;
        _sinusoidal = config.Positions == PositionScheme.Sinusoidal ? new SinusoidalPositions(config.Width) : null;
        _rotary = config.Positions == PositionScheme.Rotary ? new RotaryTable(config.RotaryDimension, config.RopeTheta, config.RotaryScaling) : null;
        _slopes = config.Positions == PositionScheme.LinearBias ? Ops.Alibi.Slopes(config.Heads) : null;

        Norm MakeNorm() => Norm.Create(config.NormKind, config.Width, config.NormEpsilon, dtype);

        DecoderBlock Block(int layer) => new(
            layer, new AttentionBlock(layer, config.AttentionOf(layer), names.Block, dtype), MakeFeedForward(config, names, dtype), MakeNorm,
            config.NormPlacement, config.ParallelBlocks, config.SharedNorm, names.Block);
    }

    public Layers.Embedding Embedding { get; }

    /// <summary>The table of learned positions, or null.</summary>
    public Tensor? PositionTable => _learned?.Weight;

    public Layers.Linear? ProjectIn { get; }

    public Layers.Linear? ProjectOut { get; }

    public IReadOnlyList<DecoderBlock> Blocks { get; }

    public Norm? FinalNorm { get; }

    /// <summary>(B, T) of int64 to (B, T, width of the embedding), normalised.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="seen">Which of the cache's positions and these are tokens, (B, S); null for all.</param>
    /// <param name="cache">The positions before, or null.</param>
    public Tensor Forward(Tensor ids, Tensor? seen, KvCache? cache)
    {
        var context = new AttentionContext(ids, seen, cache);
        RequireSameFrequencies(context);
        var x = Forward(ids, context);
        cache?.Advance(ids.shape[1]);
        return x;
    }

    /// <summary>The same for one token of each sequence, (B, 1), at a position that is data; the cache's length is the caller's to count.</summary>
    public Tensor ForwardAt(Tensor ids, Tensor position, KvCache cache, int span) => Forward(ids, new AttentionContext(ids, position, span, cache));

    private Tensor Forward(Tensor ids, AttentionContext context)
    {
        var x = Embed(ids, context); // (B, T, width)
        if (_rotary is not null)
        {
            context.Rotate(_rotary, x.dtype);
        }

        if (_slopes is not null)
        {
            var scale = _config.ScaledLinearBiases ? 1 / Math.Sqrt(_config.HeadDimension) : 1;
            context.AddLinearBiases(tensor(_slopes).to(x.device), x.dtype, _config.ScaledLinearBiases, scale);
        }

        foreach (var block in Blocks)
        {
            x = block.Forward(x, context);
        }

        x = FinalNorm is null ? x : FinalNorm.forward(x);
        return ProjectOut is null ? x : ProjectOut.forward(x);
    }

    /// <summary>Children have the names of the family: the constructor registers them.</summary>
    protected override void RegisterComponents()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _rotary?.Dispose();
        }

        base.Dispose(disposing);
    }

    private static FeedForward MakeFeedForward(DecoderConfig c, DecoderNames names, ScalarType dtype) => c.FeedForwardKind switch
    {
        FeedForwardKind.Plain => new PlainFeedForward(c.Width, c.FeedForwardWidth, c.Activation, c.FeedForwardBias, c.TransposedWeights, names.Block, dtype),
        FeedForwardKind.MixtureOfExperts => new MixtureOfExperts(
            c.Width, c.FeedForwardWidth, c.Experts, c.ExpertsPerToken, c.Activation, names.Block, names.Expert, dtype),
        _ => new GatedFeedForward(
            c.Width, c.FeedForwardWidth, c.Activation, c.FeedForwardKind == FeedForwardKind.GatedFused, c.FeedForwardBias, names.Block, dtype),
    };

    private static T Add<T>(nn.Module parent, string name, T module)
        where T : nn.Module
    {
        parent.register_module(name, module);
        return module;
    }

    /// <summary>Where longrope changes all frequencies, keys in a cache are turned by the ones before.</summary>
    private void RequireSameFrequencies(AttentionContext context)
    {
        if (!_config.KeepsFrequencies(context.Start, context.Length))
        {
            throw new InvalidOperationException(
                $"the sequence grows from {context.Start} to {context.Length} positions; beyond {_config.RotaryScaling!.OriginalPositions} longrope has other frequencies: "
                + "empty the cache and feed the whole sequence");
        }
    }

    private Tensor Embed(Tensor ids, AttentionContext context)
    {
        var x = Embedding.forward(ids);
        if (_config.EmbeddingScale is { } scale)
        {
            // Rounded to the model's type first, as Gemma was trained.
            x = x.mul(tensor((float)scale).to(x.dtype).to(x.device));
        }

        x = ProjectIn is null ? x : ProjectIn.forward(x);
        if (_learned is not null)
        {
            x = x.add(_learned.Rows(context), Ops.Scalars.One);
        }

        if (_sinusoidal is not null)
        {
            x = x.add(_sinusoidal.Rows(context, x.dtype, x.device), Ops.Scalars.One);
        }

        return _embeddingNorm is null ? x : _embeddingNorm.forward(x);
    }

    /// <summary>Holds other modules and does nothing itself.</summary>
    private sealed class Container() : nn.Module(nameof(Container));
}
