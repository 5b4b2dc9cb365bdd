using Toolkit.Checkpoints;
using Toolkit.Layers;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>RWKV-4 (Peng et al., 2023): a recurrent network that trains like a transformer. Its parameters have the names of a Hugging Face checkpoint.</summary>
public sealed class Rwkv : RecurrentModel
{
    [ComponentName(Name = "rwkv")]
    private readonly RwkvBody _body;

    [ComponentName(Name = "head")]
    private readonly Layers.Linear? _head;

    private readonly Scalar[] _scales;

    private Rwkv(RwkvConfig config, ScalarType dtype)
        : base(
            nameof(Rwkv), config.Validated(),
            [
                new([config.Width], IsWide: false), new([3, config.AttentionWidth], IsWide: true, [0, 0, Ops.WeightedKeyValue.Nothing]), new([config.Width], IsWide: false),
            ])
    {
        Config = config;
        _body = new RwkvBody(config, dtype);
        _head = config.TieEmbeddings ? null : new Layers.Linear(config.Width, config.VocabularySize, dtype: dtype);
        _scales = [.. Enumerable.Range(0, config.Layers).Select(layer => Math.Pow(0.5, config.RescaleEvery > 0 ? layer / config.RescaleEvery : 0).ToScalar())];
        RegisterComponents();
    }

    /// <summary>The model's shape.</summary>
    public RwkvConfig Config { get; }

    /// <summary>The blocks in order.</summary>
    public IReadOnlyList<RwkvBlock> Blocks => _body.Blocks;

    /// <inheritdoc/>
    public override Layers.Embedding Embedding => _body.Embedding;

    /// <inheritdoc/>
    public override Layers.Linear? Head => _head;

    /// <summary>Of every channel: two weighted means with four exponentials.</summary>
    private protected override double RecurrenceFlops => 20.0 * Config.AttentionWidth;

    private protected override string BodyName => "rwkv";

    /// <summary>A model of random weights: decays and mixing proportions as in the paper, matrices of deviation 0.02, smaller where they write to the residual stream.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="seed">The same seed makes the same weights.</param>
    public static Rwkv Create(RwkvConfig config, long seed)
    {
        var model = new Rwkv(config, ScalarType.Float32);
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (var (name, parameter) in model.named_parameters())
        {
            var last = name[(name.LastIndexOf('.') + 1)..];
            if (last.StartsWith("time_", StringComparison.Ordinal))
            {
                var layer = int.Parse(name.Split('.')[2], System.Globalization.CultureInfo.InvariantCulture);
                parameter.copy_(tensor(Start(last, (int)parameter.numel(), (double)layer / Math.Max(config.Layers - 1, 1), 1 - ((double)layer / config.Layers))).view(parameter.shape));
            }
            else if (parameter.dim() == 2)
            {
                var writes = name.EndsWith("attention.output.weight", StringComparison.Ordinal) || name.EndsWith("feed_forward.value.weight", StringComparison.Ordinal);
                parameter.normal_(0, writes ? Deviation / Math.Sqrt(2.0 * config.Layers) : Deviation, generator);
            }
        }

        return model;
    }

    /// <summary>Reads <c>config.json</c> and the weights of a folder.</summary>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <param name="dtype">Type to hold the weights in; default: float32.</param>
    /// <param name="map">Whether weights that the file has in this type become views of its memory map: see <see cref="Decoder.Load"/>.</param>
    /// <exception cref="NotSupportedException">An option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException"><c>config.json</c> is no configuration of this family.</exception>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static new Rwkv Load(string folder, ScalarType? dtype = null, bool map = false)
    {
        var config = RwkvConfig.Load(folder);
        return Open(folder, config, () => new Rwkv(config, dtype ?? ScalarType.Float32), map);
    }

    /// <inheritdoc/>
    public override CausalModel EmptyCopy(ScalarType dtype) => new Rwkv(Config, dtype);

    private protected override Tensor Hidden(Tensor ids, Tensor? tokens, RecurrentState? state)
    {
        var x = Embedding.forward(ids); // (B, T, width)
        for (var i = 0; i < Blocks.Count; i++)
        {
            x = Blocks[i].Forward(x, tokens, _scales[i], state, i);
            if (Config.RescaleEvery > 0 && (i + 1) % Config.RescaleEvery == 0)
            {
                x = x.mul(Half);
            }
        }

        return _body.Norm.forward(x);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (var scale in _scales)
            {
                scale.Dispose();
            }
        }

        base.Dispose(disposing);
    }

    private static readonly Scalar Half = 0.5.ToScalar();

    /// <summary>Decays, bonuses and proportions by channel and depth (appendix D of the paper).</summary>
    private static float[] Start(string name, int channels, double depth, double height)
    {
        return [.. Enumerable.Range(0, channels).Select(channel => (float)Value(channel))];

        double Value(int i) => name switch
        {
            "time_decay" => -5 + (8 * Math.Pow((double)i / Math.Max(channels - 1, 1), 0.7 + (1.3 * depth))),
            "time_first" => Math.Log(0.3) + ((((i + 1) % 3) - 1) * 0.5),
            "time_mix_value" => Math.Pow((double)i / channels, height) + (0.3 * depth),
            "time_mix_receptance" => Math.Pow((double)i / channels, 0.5 * height),
            _ => Math.Pow((double)i / channels, height),
        };
    }
}

/// <summary>Ids to the hidden state that the head reads.</summary>
internal sealed class RwkvBody : nn.Module
{
    [ComponentName(Name = "embeddings")]
    private readonly Layers.Embedding _embedding;

    [ComponentName(Name = "blocks")]
    private readonly ModuleList<RwkvBlock> _blocks;

    [ComponentName(Name = "ln_out")]
    private readonly LayerNormLayer _norm;

    public RwkvBody(RwkvConfig config, ScalarType dtype)
        : base(nameof(RwkvBody))
    {
        _embedding = new Layers.Embedding(config.VocabularySize, config.Width, dtype);
        Blocks = [.. Enumerable.Range(0, config.Layers).Select(i => new RwkvBlock(i == 0, config.Width, config.AttentionWidth, config.FeedForwardWidth, config.NormEpsilon, dtype))];
        _blocks = new ModuleList<RwkvBlock>([.. Blocks]);
        _norm = new LayerNormLayer(config.Width, LastEpsilon, dtype);
        RegisterComponents();
    }

    // transformers gives the last norm PyTorch's own ε, whatever the configuration says.
    private const double LastEpsilon = 1e-5;

    public Layers.Embedding Embedding => _embedding;

    public IReadOnlyList<RwkvBlock> Blocks { get; }

    public LayerNormLayer Norm => _norm;
}
