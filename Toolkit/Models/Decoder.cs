using Toolkit.Checkpoints;
using Toolkit.Layers;
using Toolkit.Native;
using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>A causal language model of any family: token ids to logits. Its parameters have the names of a Hugging Face checkpoint.</summary>
public sealed class Decoder : CausalModel
{
    private readonly DecoderBody _body;
    private readonly Layers.Linear? _head;

    private Decoder(DecoderConfig config, ScalarType dtype)
        : base(nameof(Decoder))
    {
        Config = config.Validated();
        var names = DecoderFamilies.Of(config.ModelType).Names(config);
        _body = new DecoderBody(config, names, dtype);
        register_module(names.Body, _body);
        if (!config.TieEmbeddings)
        {
            _head = new Layers.Linear(config.EmbeddingWidth ?? config.Width, config.VocabularySize, dtype: dtype);
            register_module(names.Head, _head);
        }
    }

    /// <summary>The model's shape.</summary>
    public DecoderConfig Config { get; }

    /// <summary>The blocks in order, each with its linears and the norms around them.</summary>
    public IReadOnlyList<DecoderBlock> Blocks => _body.Blocks;

    /// <inheritdoc/>
    public override string ModelType => Config.ModelType;

    /// <inheritdoc/>
    public override int VocabularySize => Config.VocabularySize;

    /// <inheritdoc/>
    public override int Width => Config.Width;

    /// <inheritdoc/>
    public override int Layers => Config.Layers;

    /// <inheritdoc/>
    public override int MaxPositions => Config.MaxPositions;

    /// <inheritdoc/>
    public override int? BeginTokenId => Config.BeginTokenId;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndTokenIds => [.. Config.EndTokenIds];

    /// <inheritdoc/>
    public override Layers.Embedding Embedding => _body.Embedding;

    /// <summary>The norm before the head, or null.</summary>
    public Norm? FinalNorm => _body.FinalNorm;

    /// <summary>The head, or null where the embedding table is the head.</summary>
    public Layers.Linear? Head => _head;

    /// <summary>
    /// The model's topology, the same for all families: its linears by the input that they share, with the norms around them and whether they read or
    /// write the residual stream; in the order that a token passes them, without a tied head.
    /// </summary>
    public IEnumerable<LinearGroup> Topology
    {
        get
        {
            if (_body.ProjectIn is { } into)
            {
                yield return new(LinearRole.Projection, [into]);
            }

            foreach (var group in Blocks.SelectMany(block => block.Groups))
            {
                yield return group;
            }

            if (_body.ProjectOut is { } outOf)
            {
                yield return new(LinearRole.Projection, [outOf]) { Norm = FinalNorm };
            }

            if (_head is not null)
            {
                yield return new(LinearRole.Head, [_head]) { Norm = _body.ProjectOut is null ? FinalNorm : null };
            }
        }
    }

    /// <summary>Every linear of <see cref="Topology"/>, in order.</summary>
    public IEnumerable<Layers.Linear> Linears => Topology.SelectMany(group => group.Linears);

    /// <inheritdoc/>
    public override double WeightBytesPerToken
    {
        get
        {
            var skipped = Topology.Sum(group => (1 - group.ActiveShare) * group.Linears.Sum(linear => linear.WeightBytes));
            var tables = new[] { Config.TieEmbeddings ? null : Embedding.Weight, _body.PositionTable }.OfType<Tensor>();
            return ParameterBytes - skipped - tables.Sum(table => (table.shape[0] - 1.0) * table.shape[1] * table.ElementSize);
        }
    }

    /// <inheritdoc/>
    protected override Tensor HeadWeight => _head?.Weight ?? _body.Embedding.Weight;

    /// <inheritdoc/>
    protected override double? LogitSoftCap => Config.LogitSoftCap;

    /// <summary>A model of random weights: normal with deviation 0.02, what writes to the residual stream scaled by 1/√(2·layers), biases zero.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="seed">The same seed makes the same weights.</param>
    public static Decoder Create(DecoderConfig config, long seed)
    {
        var model = new Decoder(config, ScalarType.Float32);
        DecoderWeights.Initialise(model, seed);
        return model;
    }

    /// <summary>A model whose matrices are not yet set to anything.</summary>
    internal static Decoder Empty(DecoderConfig config, ScalarType dtype) => new(config, dtype);

    /// <summary>Reads the configuration and the weights of a folder or of a GGUF file.</summary>
    /// <param name="folder">A Hugging Face model folder, or a file named *.gguf.</param>
    /// <param name="dtype">Type to hold the weights in; default: float32.</param>
    /// <param name="map">
    /// Whether weights that the file has in this type become views of its memory map: a model of any size opens at once and takes no memory that the
    /// system could not take back. Sums over weights that lie otherwise in memory may differ in the last bit, so a run that is to be continued bit for
    /// bit does not map.
    /// </param>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static new Decoder Load(string folder, ScalarType? dtype = null, bool map = false)
    {
        var config = DecoderConfig.Load(folder);
        using var checkpoint = Checkpoint.Open(folder);
        DecoderWeights.RequireRoom(config, checkpoint);
        var model = new Decoder(config, dtype ?? ScalarType.Float32);
        try
        {
            DecoderWeights.Read(model, checkpoint, map);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override void LoadWeights(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        DecoderWeights.Read(this, checkpoint, map: false);
    }

    /// <inheritdoc/>
    public override void Save(string folder)
    {
        Config.Save(folder);
        Checkpoint.Save(folder, named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter));
    }

    /// <summary>
    /// Writes the model for llama.cpp as one GGUF file: Llama, Mistral, Qwen 2 and GPT-2. Without a tokenizer's metadata llama.cpp takes ids alone;
    /// LanguageModel.SaveGguf writes it too.
    /// </summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="type">How to store the matrices: F32, F16, BF16, Q8_0 or Q4_0.</param>
    /// <param name="metadata">More metadata; see <see cref="GgufMetadata"/>.</param>
    /// <exception cref="NotSupportedException">GGUF has no place for the family or an option of the configuration.</exception>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    public void SaveGguf(string path, GgufType type = GgufType.F16, IEnumerable<KeyValuePair<string, object>>? metadata = null) =>
        GgufModel.Save(
            path, Config.ToJson(), named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter), type, metadata ?? [new("tokenizer.ggml.model", "none")]);

    /// <summary>An empty cache of this model's shape.</summary>
    public KvCache NewCache(int batch, int capacity) =>
        new(Config.Layers, batch, capacity, Config.KeyValueHeads, Config.HeadDimension, _body.Embedding.Weight.dtype, _body.Embedding.Weight.device);

    /// <inheritdoc/>
    public override DecodeState NewState(int batch, int capacity) => NewCache(batch, capacity);

    /// <inheritdoc/>
    public override bool CanContinue(int from, int to) => Config.KeepsFrequencies(from, to);

    /// <summary>
    /// FLOPs of one token's forward pass in a sequence of this length: 2 for every weight of every linear that it passes and of the head, and for
    /// attention 4·heads·D for each position that a query sees on average: (T + 1)/2, fewer with a window. Training takes 3 times as many.
    /// </summary>
    public override double FlopsPerToken(int sequenceLength)
    {
        var weights = Topology.Sum(group => group.ActiveShare * group.Linears.Sum(l => (double)l.Inputs * l.Outputs)) + (_head is null ? Embedding.Weight.numel() : 0);
        var positions = Enumerable.Range(0, Config.Layers).Sum(layer => Seen(sequenceLength, Config.WindowOf(layer)));
        return (2 * weights) + (4.0 * Config.Heads * Config.HeadDimension * positions);
    }

    /// <inheritdoc/>
    public override CausalModel EmptyCopy(ScalarType dtype) => Empty(Config, dtype);

    /// <inheritdoc/>
    protected override Tensor Hidden(Tensor ids, Tensor? mask, DecodeState? state) => _body.Forward(ids, mask, Own<KvCache>(state));

    /// <inheritdoc/>
    protected override Tensor HiddenAt(Tensor ids, Tensor position, DecodeState state, int span) => _body.ForwardAt(ids, position, Own<KvCache>(state)!, span);

    /// <summary>Where frequencies depend on the length of the sequence, those of the longer span would be others.</summary>
    public override bool CanForwardAt(int length, int span) =>
        Config.RotaryScaling is not { } scaling || scaling.FrequencyLength(length + 1) == scaling.FrequencyLength(span);

    /// <summary>Children have the names of the family: the constructor registers them.</summary>
    protected override void RegisterComponents()
    {
    }

    /// <summary>Positions that a query sees on average.</summary>
    private static double Seen(int length, int? window)
    {
        double width = Math.Min(window ?? length, length);
        return ((width * (width + 1) / 2) + ((length - width) * width)) / length;
    }
}
