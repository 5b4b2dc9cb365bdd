using Toolkit.Checkpoints;
using Toolkit.Layers;
using Toolkit.Native;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>
/// BERT (Devlin et al., 2018) and what is built like it, such as MiniLM: an encoder, in which every token sees the whole text. Its parameters have the names of
/// a Hugging Face checkpoint.
/// </summary>
public sealed class Bert : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "embeddings")]
    private readonly BertEmbeddings _embeddings;

    [ComponentName(Name = "encoder")]
    private readonly BertBlocks _encoder;

    [ComponentName(Name = "pooler")]
    private readonly BertPooler? _pooler;

    private Bert(BertConfig config, bool pooler, ScalarType dtype)
        : base(WithLibTorch())
    {
        Config = config.Validated();
        _embeddings = new BertEmbeddings(config, dtype);
        _encoder = new BertBlocks(config, dtype);
        _pooler = pooler ? new BertPooler(config.Width, dtype) : null;
        RegisterComponents();
    }

    /// <summary>The model's shape.</summary>
    public BertConfig Config { get; }

    /// <summary>Whether there is a learned pooler: see <see cref="Pooled"/>.</summary>
    public bool HasPooler => _pooler is not null;

    /// <summary>The blocks in order.</summary>
    public IReadOnlyList<EncoderBlock> Blocks => _encoder.Blocks;

    /// <summary>Learned numbers.</summary>
    public long ParameterCount => parameters().Sum(p => p.numel());

    /// <summary>Bytes of the learned numbers.</summary>
    public long ParameterBytes => parameters().Sum(p => p.numel() * p.ElementSize);

    /// <summary>Where the weights are, and the ids must be.</summary>
    public Device Device => _embeddings.Words.Weight.device;

    /// <summary>A model of random weights: matrices normal with deviation 0.02, biases zero.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="seed">The same seed makes the same weights.</param>
    /// <param name="pooler">Whether there is a learned pooler.</param>
    public static Bert Create(BertConfig config, long seed, bool pooler = true)
    {
        var model = new Bert(config, pooler, ScalarType.Float32);
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (name.EndsWith(".bias", StringComparison.Ordinal))
            {
                parameter.zero_();
            }
            else if (parameter.dim() == 2)
            {
                parameter.normal_(0, 0.02, generator);
            }
        }

        return model;
    }

    /// <summary>Reads <c>config.json</c> and the weights of a folder. Heads of other tasks that are in the file are left out.</summary>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <param name="dtype">Type to hold the weights in; default: float32.</param>
    /// <param name="map">Whether weights that the file has in this type become views of its memory map: see <see cref="Decoder.Load"/>.</param>
    /// <exception cref="NotSupportedException">Another family, or an option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException"><c>config.json</c> is not a configuration.</exception>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static Bert Load(string folder, ScalarType? dtype = null, bool map = false)
    {
        var config = BertConfig.Load(folder);
        using var checkpoint = Checkpoint.Open(folder);
        ModelWeights.RequireRoom(checkpoint, config.Layers, config.Size);
        var model = new Bert(config, checkpoint.Names.Any(name => Own(name) == "pooler.dense.weight"), dtype ?? ScalarType.Float32);
        try
        {
            ModelWeights.Read(model, checkpoint, OtherNames, IsOfAnotherTask, map);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c>.</summary>
    public void Save(string folder)
    {
        Config.Save(folder);
        Checkpoint.Save(folder, named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter));
    }

    /// <summary>(B, T) of int64 to the last hidden states, (B, T, width): every token of type 0, none of them padding.</summary>
    /// <exception cref="InvalidOperationException">The texts are longer than the model can read.</exception>
    public override Tensor forward(Tensor ids)
    {
        using var scope = NewDisposeScope();
        return Hidden(ids, null, null).MoveToOuterDisposeScope();
    }

    /// <summary>The last hidden states of texts of different lengths, padded to one: each gets those that it would get alone. No gradient is recorded.</summary>
    /// <param name="ids">(B, T) of int64; padding may be any id.</param>
    /// <param name="mask">(B, T), of bool or int64: 1 for a token, 0 for padding. Null where nothing is padded.</param>
    /// <param name="types">(B, T) of int64: 0 for tokens of the first text, 1 for those of the second; null for 0.</param>
    /// <returns>(B, T, width); where the input is padding, numbers that mean nothing.</returns>
    /// <exception cref="ArgumentException">Mask or types have another shape, or a text has no token.</exception>
    /// <exception cref="InvalidOperationException">The texts are longer than the model can read.</exception>
    public Tensor Forward(Tensor ids, Tensor? mask, Tensor? types = null)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        return Hidden(ids, mask, types).MoveToOuterDisposeScope();
    }

    /// <summary>What the learned pooler makes of the first token's last hidden state: <c>tanh(W·h + b)</c>, (B, width). Only models trained with it mean something by it.</summary>
    /// <param name="hidden">The last hidden states, (B, T, width).</param>
    /// <exception cref="InvalidOperationException">The model has no pooler.</exception>
    public Tensor Pooled(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        var pooler = _pooler ?? throw new InvalidOperationException("this model has no pooler");
        return pooler.Dense.forward(hidden.select(1, 0)).tanh().MoveToOuterDisposeScope();
    }

    /// <summary>One vector for each text.</summary>
    /// <param name="ids">(B, T) of int64; padding may be any id.</param>
    /// <param name="mask">(B, T), of bool or int64: 1 for a token, 0 for padding. Null where nothing is padded.</param>
    /// <param name="pooling">What the vector is made of.</param>
    /// <param name="normalise">Whether it has length one, so that the product of two is the cosine of their angle.</param>
    /// <returns>(B, width) of float32.</returns>
    /// <exception cref="ArgumentException">The mask has another shape, or a text has no token.</exception>
    /// <exception cref="InvalidOperationException">The texts are longer than the model can read.</exception>
    public Tensor Embed(Tensor ids, Tensor? mask, Pooling pooling = Pooling.Mean, bool normalise = true)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var hidden = Hidden(ids, mask, null).to(ScalarType.Float32);
        var vectors = Pool(hidden, mask, pooling); // (B, width)
        return (normalise ? nn.functional.normalize(vectors, 2, 1, 1e-12) : vectors).MoveToOuterDisposeScope();
    }

    /// <summary>A file of a model with a head has "bert." before every name, and the first files call a norm's scale and shift gamma and beta.</summary>
    private static IEnumerable<string> OtherNames(string name)
    {
        var old = name.Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal).Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal);
        return [old, Prefix + name, Prefix + old];
    }

    private const string Prefix = "bert.";

    private static string Own(string name) => name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name;

    private static bool IsOfAnotherTask(string name)
    {
        var own = Own(name);
        return own is "embeddings.position_ids" or "embeddings.token_type_ids" || own.Split('.')[0] is not ("embeddings" or "encoder" or "pooler");
    }

    private static Tensor Pool(Tensor hidden, Tensor? mask, Pooling pooling)
    {
        if (pooling == Pooling.FirstToken)
        {
            return hidden.select(1, 0);
        }

        if (mask is null)
        {
            return hidden.mean([1L]);
        }

        var weights = mask.to(ScalarType.Bool).to(ScalarType.Float32).to(hidden.device).unsqueeze(-1); // (B, T, 1)
        return hidden.mul(weights).sum(1).div(weights.sum(1));
    }

    private static string WithLibTorch()
    {
        LibTorch.Load();
        return nameof(Bert);
    }

    private Tensor Hidden(Tensor ids, Tensor? mask, Tensor? types)
    {
        if (ids.shape[1] > Config.MaxPositions)
        {
            throw new InvalidOperationException($"{ids.shape[1]} tokens are more than the model's {Config.MaxPositions} positions");
        }

        Require(mask, "the mask", ids);
        Require(types, "the types", ids);
        var tokens = mask?.to(ScalarType.Bool).to(Device);
        if (tokens is not null && !tokens.any(1).all().item<bool>())
        {
            throw new ArgumentException("the mask leaves a text without any token", nameof(mask));
        }

        var x = _embeddings.Forward(ids, types);
        foreach (var block in Blocks)
        {
            x = block.Forward(x, tokens);
        }

        return x;
    }

    private static void Require(Tensor? other, string name, Tensor ids)
    {
        if (other is not null && !other.shape.AsSpan().SequenceEqual(ids.shape))
        {
            throw new ArgumentException($"{name} have shape ({string.Join(", ", other.shape)}), the ids ({string.Join(", ", ids.shape)})");
        }
    }
}

/// <summary>What the vector of a text is made of.</summary>
public enum Pooling
{
    /// <summary>The mean of the last hidden states of all tokens.</summary>
    Mean,

    /// <summary>The last hidden state of the first token, [CLS].</summary>
    FirstToken,
}

/// <summary>The sum of what a word, its position and its type embed to, normed.</summary>
internal sealed class BertEmbeddings : nn.Module
{
    [ComponentName(Name = "word_embeddings")]
    public readonly Layers.Embedding Words;

    [ComponentName(Name = "position_embeddings")]
    private readonly Layers.Embedding _positions;

    [ComponentName(Name = "token_type_embeddings")]
    private readonly Layers.Embedding _types;

    [ComponentName(Name = "LayerNorm")]
    private readonly LayerNormLayer _norm;

    public BertEmbeddings(BertConfig config, ScalarType dtype)
        : base(nameof(BertEmbeddings))
    {
        Words = new Layers.Embedding(config.VocabularySize, config.Width, dtype);
        _positions = new Layers.Embedding(config.MaxPositions, config.Width, dtype);
        _types = new Layers.Embedding(config.TokenTypes, config.Width, dtype);
        _norm = new LayerNormLayer(config.Width, config.NormEpsilon, dtype);
        RegisterComponents();
    }

    public Tensor Forward(Tensor ids, Tensor? types)
    {
        var type = types is null ? _types.Weight.narrow(0, 0, 1) : _types.forward(types); // (1, width) or (B, T, width)
        var position = _positions.Weight.narrow(0, 0, ids.shape[1]); // (T, width)
        return _norm.forward(Words.forward(ids).add(type, Ops.Scalars.One).add(position, Ops.Scalars.One));
    }
}

/// <summary>The blocks.</summary>
internal sealed class BertBlocks : nn.Module
{
    [ComponentName(Name = "layer")]
    private readonly ModuleList<EncoderBlock> _blocks;

    public BertBlocks(BertConfig c, ScalarType dtype)
        : base(nameof(BertBlocks))
    {
        Blocks = [.. Enumerable.Range(0, c.Layers).Select(_ => new EncoderBlock(c.Width, c.Heads, c.FeedForwardWidth, c.Activation, c.NormEpsilon, dtype))];
        _blocks = new ModuleList<EncoderBlock>([.. Blocks]);
        RegisterComponents();
    }

    public IReadOnlyList<EncoderBlock> Blocks { get; }
}

/// <summary>The learned pooler.</summary>
internal sealed class BertPooler : nn.Module
{
    [ComponentName(Name = "dense")]
    public readonly Layers.Linear Dense;

    public BertPooler(int width, ScalarType dtype)
        : base(nameof(BertPooler))
    {
        Dense = new Layers.Linear(width, width, bias: true, dtype);
        RegisterComponents();
    }
}
