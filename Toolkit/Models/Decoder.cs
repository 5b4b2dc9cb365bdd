using Toolkit.Checkpoints;
using Toolkit.Layers;
using Toolkit.Native;
using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>A causal language model of any family: token ids to logits. Its parameters have the names of a Hugging Face checkpoint.</summary>
public sealed class Decoder : nn.Module<Tensor, Tensor>
{
    private readonly DecoderBody _body;
    private readonly Layers.Linear? _head;

    private Decoder(DecoderConfig config, ScalarType dtype)
        : base(Named())
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

    /// <summary>The embedding table, (vocabulary, width).</summary>
    public Layers.Embedding Embedding => _body.Embedding;

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

    /// <summary>Learned numbers.</summary>
    public long ParameterCount => parameters().Sum(p => p.numel());

    /// <summary>Bytes of the learned numbers.</summary>
    public long ParameterBytes => parameters().Sum(p => p.numel() * p.ElementSize);

    /// <summary>Bytes of the weights that one decoded token reads: all but table rows that it does not look up and experts that it does not pass.</summary>
    public double WeightBytesPerToken
    {
        get
        {
            var skipped = Topology.Sum(group => (1 - group.ActiveShare) * group.Linears.Sum(linear => linear.WeightBytes));
            var tables = new[] { Config.TieEmbeddings ? null : Embedding.Weight, _body.PositionTable }.OfType<Tensor>();
            return ParameterBytes - skipped - tables.Sum(table => (table.shape[0] - 1.0) * table.shape[1] * table.ElementSize);
        }
    }

    private Tensor HeadWeight => _head?.Weight ?? _body.Embedding.Weight;

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

    /// <summary>Reads <c>config.json</c> and the weights of a folder.</summary>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <param name="dtype">Type to hold the weights in; default: float32.</param>
    /// <param name="map">
    /// Whether weights that the file has in this type become views of its memory map: a model of any size opens at once and takes no memory that the
    /// system could not take back. Sums over weights that lie otherwise in memory may differ in the last bit, so a run that is to be continued bit for
    /// bit does not map.
    /// </param>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static Decoder Load(string folder, ScalarType? dtype = null, bool map = false)
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

    /// <summary>Gives this model the weights of a folder, converted to its own type.</summary>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public void LoadWeights(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        DecoderWeights.Read(this, checkpoint, map: false);
    }

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c>; a tied head is not written.</summary>
    public void Save(string folder)
    {
        Config.Save(folder);
        Checkpoint.Save(folder, named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter));
    }

    /// <summary>(B, T) of int64 to logits (B, T, V).</summary>
    public override Tensor forward(Tensor ids)
    {
        using var scope = NewDisposeScope();
        return Logits(_body.Forward(ids, null, null)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits of T more positions behind those in the cache, which is written; no gradient is recorded.</summary>
    /// <param name="ids">(B, T) of int64.</param>
    /// <param name="cache">The positions before these, or null.</param>
    /// <param name="lastOnly">Whether only the last position's logits (B, 1, V) are wanted.</param>
    /// <exception cref="InvalidOperationException">The cache is too short or for another batch, or the sequence is longer than the model can read.</exception>
    public Tensor Forward(Tensor ids, KvCache? cache, bool lastOnly = false) => Forward(ids, null, cache, lastOnly);

    /// <summary>
    /// The same for sequences of different lengths that are padded to one, on the left or on the right: each gets the logits that it would get alone.
    /// </summary>
    /// <param name="ids">(B, T) of int64; padding may be any id.</param>
    /// <param name="mask">(B, S), of bool or int64, over the cache's positions and these: 1 for a token, 0 for padding. Null where nothing is padded.</param>
    /// <param name="cache">The positions before these, or null.</param>
    /// <param name="lastOnly">Whether only the last position's logits (B, 1, V) are wanted.</param>
    /// <returns>(B, T, V); where the input is padding, numbers that mean nothing.</returns>
    /// <exception cref="ArgumentException">The mask has another shape.</exception>
    /// <exception cref="InvalidOperationException">The cache is too short or for another batch, or the sequence is longer than the model can read.</exception>
    public Tensor Forward(Tensor ids, Tensor? mask, KvCache? cache, bool lastOnly = false)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var hidden = _body.Forward(ids, mask, cache); // (B, T, width)
        return Logits(lastOnly && ids.shape[1] > 1 ? hidden.narrow(1, ids.shape[1] - 1, 1) : hidden).MoveToOuterDisposeScope();
    }

    /// <summary>Mean cross-entropy, in nats a token, of the targets: what training minimises.</summary>
    /// <param name="ids">(B, T) of int64.</param>
    /// <param name="targets">(B, T) of int64: the token after each.</param>
    /// <returns>A scalar with a gradient.</returns>
    public Tensor Loss(Tensor ids, Tensor targets)
    {
        using var scope = NewDisposeScope();
        var hidden = _body.Forward(ids, null, null); // (B, T, width)
        var flat = hidden.view(-1, hidden.shape[^1]);
        var loss = Config.LogitSoftCap is null
            ? Ops.CrossEntropy.OfHead(flat, HeadWeight, targets.reshape(-1))
            : Ops.CrossEntropy.Reference(Logits(flat), targets.reshape(-1));
        return loss.MoveToOuterDisposeScope();
    }

    /// <summary>An empty cache of this model's shape.</summary>
    public KvCache NewCache(int batch, int capacity) =>
        new(Config.Layers, batch, capacity, Config.KeyValueHeads, Config.HeadDimension, _body.Embedding.Weight.dtype, _body.Embedding.Weight.device);

    /// <summary>
    /// FLOPs of one token's forward pass in a sequence of this length: 2 for every weight of every linear that it passes and of the head, and for
    /// attention 4·heads·D for each position that a query sees on average: (T + 1)/2, fewer with a window. Training takes 3 times as many.
    /// </summary>
    public double FlopsPerToken(int sequenceLength)
    {
        var weights = Topology.Sum(group => group.ActiveShare * group.Linears.Sum(l => (double)l.Inputs * l.Outputs)) + (_head is null ? Embedding.Weight.numel() : 0);
        var positions = Enumerable.Range(0, Config.Layers).Sum(layer => Seen(sequenceLength, Config.WindowOf(layer)));
        return (2 * weights) + (4.0 * Config.Heads * Config.HeadDimension * positions);
    }

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

    /// <summary>Says clearly why libtorch is not there, before TorchSharp's own first use of it would fail.</summary>
    private static string Named()
    {
        LibTorch.Load();
        return nameof(Decoder);
    }

    private Tensor Logits(Tensor hidden)
    {
        var logits = nn.functional.linear(hidden, HeadWeight);
        return Config.LogitSoftCap is { } cap ? Ops.Attention.SoftCap(logits, cap) : logits;
    }
}
