using Toolkit.Checkpoints;
using Toolkit.Layers;
using Toolkit.Native;
using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>A causal language model: token ids to logits. Its parameters have the names of a Hugging Face checkpoint.</summary>
public sealed class Decoder : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "model")]
    private readonly DecoderBody _body;

    [ComponentName(Name = "lm_head")]
    private readonly Layers.Linear? _head;

    private Decoder(DecoderConfig config, ScalarType dtype)
        : base(Named())
    {
        Config = config.Validated();
        _body = new DecoderBody(config, dtype);
        _head = config.TieEmbeddings ? null : new Layers.Linear(config.Width, config.VocabularySize, dtype: dtype);
        RegisterComponents();
    }

    /// <summary>The model's shape.</summary>
    public DecoderConfig Config { get; }

    /// <summary>The blocks in order, each with its linears and the norms before them.</summary>
    public IReadOnlyList<DecoderBlock> Blocks => _body.Blocks;

    /// <summary>The embedding table, (vocabulary, width).</summary>
    public Layers.Embedding Embedding => _body.Embedding;

    /// <summary>The norm before the head.</summary>
    public RmsNormLayer FinalNorm => _body.Norm;

    /// <summary>The head, or null where the embedding table is the head.</summary>
    public Layers.Linear? Head => _head;

    /// <summary>Every linear that a token passes, in order; without a tied head.</summary>
    public IEnumerable<Layers.Linear> Linears
    {
        get
        {
            foreach (var block in Blocks)
            {
                var (attention, feedForward) = (block.Attention, block.FeedForward);
                foreach (var linear in new[]
                         {
                             attention.Query, attention.Key, attention.Value, attention.Output, feedForward.Gate, feedForward.Up, feedForward.Down,
                         })
                {
                    yield return linear;
                }
            }

            if (_head is not null)
            {
                yield return _head;
            }
        }
    }

    /// <summary>Learned numbers.</summary>
    public long ParameterCount => parameters().Sum(p => p.numel());

    /// <summary>Bytes of the learned numbers.</summary>
    public long ParameterBytes => parameters().Sum(p => p.numel() * p.ElementSize);

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
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static Decoder Load(string folder, ScalarType? dtype = null)
    {
        var model = new Decoder(DecoderConfig.Load(folder), dtype ?? ScalarType.Float32);
        try
        {
            model.LoadWeights(folder);
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
        DecoderWeights.Read(this, checkpoint);
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
        return Logits(_body.Forward(ids, null)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits of T more positions behind those in the cache, which is written; no gradient is recorded.</summary>
    /// <param name="ids">(B, T) of int64.</param>
    /// <param name="cache">The positions before these, or null.</param>
    /// <param name="lastOnly">Whether only the last position's logits (B, 1, V) are wanted.</param>
    /// <exception cref="InvalidOperationException">The cache is too short or for another batch.</exception>
    public Tensor Forward(Tensor ids, KvCache? cache, bool lastOnly = false)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var hidden = _body.Forward(ids, cache); // (B, T, width)
        return Logits(lastOnly && ids.shape[1] > 1 ? hidden.narrow(1, ids.shape[1] - 1, 1) : hidden).MoveToOuterDisposeScope();
    }

    /// <summary>Mean cross-entropy, in nats a token, of the targets: what training minimises.</summary>
    /// <param name="ids">(B, T) of int64.</param>
    /// <param name="targets">(B, T) of int64: the token after each.</param>
    /// <returns>A scalar with a gradient.</returns>
    public Tensor Loss(Tensor ids, Tensor targets)
    {
        using var scope = NewDisposeScope();
        var hidden = _body.Forward(ids, null).view(-1, Config.Width); // (B·T, width)
        return Ops.CrossEntropy.OfHead(hidden, HeadWeight, targets.reshape(-1)).MoveToOuterDisposeScope();
    }

    /// <summary>An empty cache of this model's shape.</summary>
    public KvCache NewCache(int batch, int capacity) =>
        new(Config.Layers, batch, capacity, Config.KeyValueHeads, Config.HeadDimension, _body.Embedding.Weight.dtype, _body.Embedding.Weight.device);

    /// <summary>
    /// FLOPs of one token's forward pass in a sequence of this length: 2 for every weight of every linear and of the head, and for attention
    /// 4·heads·D for each of the (T + 1)/2 positions that a causal query sees on average. Training takes 3 times as many.
    /// </summary>
    public double FlopsPerToken(int sequenceLength)
    {
        var weights = Linears.Sum(l => (double)l.Inputs * l.Outputs) + (_head is null ? (double)Config.VocabularySize * Config.Width : 0);
        return (2 * weights) + (4.0 * Config.Layers * Config.Heads * Config.HeadDimension * (sequenceLength + 1) / 2);
    }

    /// <summary>Says clearly why libtorch is not there, before TorchSharp's own first use of it would fail.</summary>
    private static string Named()
    {
        LibTorch.Load();
        return nameof(Decoder);
    }

    private Tensor Logits(Tensor hidden) => nn.functional.linear(hidden, HeadWeight);
}
