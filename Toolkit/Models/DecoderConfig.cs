using Toolkit.Layers;
using Toolkit.Ops;

namespace Toolkit.Models;

/// <summary>The shape of a decoder: everything but its weights. Read from and written to Hugging Face's <c>config.json</c>.</summary>
public sealed partial record DecoderConfig
{
    /// <summary>The family, as <c>config.json</c> names it. It decides what parameters are called.</summary>
    public string ModelType { get; init; } = LlamaFamily.ModelType;

    /// <summary>Token ids that the model knows.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int Width { get; init; }

    /// <summary>Blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads; each serves an equal group of query heads.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Width of one head.</summary>
    public required int HeadDimension { get; init; }

    /// <summary>Inner width of the feed-forward; of each expert in a mixture.</summary>
    public required int FeedForwardWidth { get; init; }

    /// <summary>How the model knows where a token stands.</summary>
    public PositionScheme Positions { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10000.0;

    /// <summary>Share of a head's dimensions that turn.</summary>
    public double RotaryFactor { get; init; } = 1;

    /// <summary>How the rotary frequencies are changed for longer texts, or null.</summary>
    public RotaryScaling? RotaryScaling { get; init; }

    /// <summary>Rows of a learned table before that of the first position.</summary>
    public int PositionOffset { get; init; }

    /// <summary>Whether linear biases are divided by √<see cref="HeadDimension"/> like the scores, and rounded to bfloat16 (Falcon).</summary>
    public bool ScaledLinearBiases { get; init; }

    /// <summary>Which norm.</summary>
    public NormKind NormKind { get; init; }

    /// <summary>ε of the norms.</summary>
    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>Where the norms of a block stand.</summary>
    public NormPlacement NormPlacement { get; init; }

    /// <summary>Whether there is a norm before the head.</summary>
    public bool HasFinalNorm { get; init; } = true;

    /// <summary>Whether the embedding is normed.</summary>
    public bool HasEmbeddingNorm { get; init; }

    /// <summary>Whether attention and feed-forward of a block read the same residual stream.</summary>
    public bool ParallelBlocks { get; init; }

    /// <summary>Whether parallel halves share one norm.</summary>
    public bool SharedNorm { get; init; }

    /// <summary>Positions the model was made for.</summary>
    public int MaxPositions { get; init; } = 2048;

    /// <summary>Whether the head is the embedding table.</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>Width of the embedding where it is not <see cref="Width"/>: linears lead into and out of the residual stream.</summary>
    public int? EmbeddingWidth { get; init; }

    /// <summary>What embeddings are multiplied by, or null.</summary>
    public double? EmbeddingScale { get; init; }

    /// <summary>How queries, keys and values lie in the attention's linears.</summary>
    public QueryKeyValueLayout QueryKeyValueLayout { get; init; }

    /// <summary>Whether the attention's linears have a bias.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether its output has one, where that is another answer.</summary>
    public bool? AttentionOutputBias { get; init; }

    /// <summary>Whether queries and keys are normalised.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>What scores are multiplied by; null for 1/√<see cref="HeadDimension"/>.</summary>
    public double? AttentionScale { get; init; }

    /// <summary>Whether block i also divides its scores by i + 1.</summary>
    public bool ScaleByLayer { get; init; }

    /// <summary>What attention scores are kept below, or null.</summary>
    public double? AttentionSoftCap { get; init; }

    /// <summary>What logits are kept below, or null.</summary>
    public double? LogitSoftCap { get; init; }

    /// <summary>The last positions that windowed layers see, or null.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>For every layer whether it sees only the window; null where all do.</summary>
    public ValueList<bool>? WindowedLayers { get; init; }

    /// <summary>For every layer whether it turns queries and keys; null where all do.</summary>
    public ValueList<bool>? RotaryLayers { get; init; }

    /// <summary>What the feed-forward is made of.</summary>
    public FeedForwardKind FeedForwardKind { get; init; }

    /// <summary>The feed-forward's nonlinearity.</summary>
    public Activation Activation { get; init; }

    /// <summary>Whether the feed-forward's linears have a bias.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Experts of a mixture.</summary>
    public int Experts { get; init; }

    /// <summary>Experts that a token passes.</summary>
    public int ExpertsPerToken { get; init; }

    /// <summary>Whether the blocks' weights are stored as (inputs, outputs).</summary>
    public bool TransposedWeights { get; init; }

    /// <summary>Id that begins a text, if the model has one.</summary>
    public int? BeginTokenId { get; init; }

    /// <summary>Id that ends a text, if the model has one.</summary>
    public int? EndTokenId { get; init; }

    /// <summary>Further ids that end a text, or null.</summary>
    public ValueList<int>? OtherEndTokenIds { get; init; }

    /// <summary>Query heads that share a key-value head.</summary>
    public int GroupSize => Heads / KeyValueHeads;

    /// <summary>Dimensions of a head that turn.</summary>
    public int RotaryDimension => (int)(HeadDimension * RotaryFactor);

    /// <summary>All ids that end a text.</summary>
    public IEnumerable<int> EndTokenIds => EndTokenId is { } first ? [first, .. OtherEndTokenIds ?? Enumerable.Empty<int>()] : [];

    /// <summary>The last positions that a layer sees, or null for all.</summary>
    public int? WindowOf(int layer) => WindowedLayers?[layer] == false ? null : SlidingWindow;

    /// <summary>
    /// Whether a sequence in a cache may grow from so many positions to so many. Beyond the original positions longrope has other frequencies, and the
    /// cache's keys were turned by those before: the whole sequence must be fed again. (Dynamic scaling changes them too, with every position, and is
    /// decoded as transformers does it: earlier keys stay as they were.)
    /// </summary>
    public bool KeepsFrequencies(long from, long to) =>
        from == 0 || RotaryScaling is not { Kind: RotaryScalingKind.LongRope } scaling || scaling.FrequencyLength(from) == scaling.FrequencyLength(to);

    /// <summary>The shape of a layer's attention.</summary>
    public AttentionOptions AttentionOf(int layer) => new()
    {
        Width = Width,
        Heads = Heads,
        KeyValueHeads = KeyValueHeads,
        HeadDimension = HeadDimension,
        Layout = QueryKeyValueLayout,
        Bias = AttentionBias,
        OutputBias = AttentionOutputBias ?? AttentionBias,
        Transposed = TransposedWeights,
        QueryKeyNorm = QueryKeyNorm,
        NormKind = NormKind,
        NormEpsilon = NormEpsilon,
        Rotary = Positions == PositionScheme.Rotary && RotaryLayers?[layer] != false,
        Scale = ScaleByLayer ? (AttentionScale ?? (1 / Math.Sqrt(HeadDimension))) / (layer + 1) : AttentionScale,
        SoftCap = AttentionSoftCap,
        Window = WindowOf(layer),
    };

    /// <summary>A Llama. Where not given, heads divide the width and the feed-forward is 8/3 of it, rounded up to a multiple of 32.</summary>
    /// <exception cref="ArgumentException">The numbers do not fit together.</exception>
    public static DecoderConfig Llama(
        int layers, int width, int heads, int keyValueHeads, int vocabularySize, int? headDimension = null, int? feedForwardWidth = null,
        double ropeTheta = 10000.0, double normEpsilon = 1e-6, int maxPositions = 2048, bool tieEmbeddings = false)
    {
        if (headDimension is null && heads > 0 && width % heads != 0)
        {
            throw new ArgumentException($"width {width} is not a multiple of heads {heads}; give a head dimension");
        }

        return new DecoderConfig
        {
            VocabularySize = vocabularySize,
            Width = width,
            Layers = layers,
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadDimension = headDimension ?? width / Math.Max(heads, 1),
            FeedForwardWidth = feedForwardWidth ?? ((width * 8 / 3) + 31) / 32 * 32,
            RopeTheta = ropeTheta,
            NormEpsilon = normEpsilon,
            MaxPositions = maxPositions,
            TieEmbeddings = tieEmbeddings,
        }.Validated();
    }

    /// <summary>This configuration, checked.</summary>
    /// <exception cref="ArgumentException">The numbers do not fit together.</exception>
    public DecoderConfig Validated()
    {
        DecoderConfigRules.Check(this);
        return this;
    }
}
