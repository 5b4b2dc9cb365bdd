using Toolkit.Layers;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>What Mamba and Mamba-2 have in common: blocks of a norm and a mixer between an embedding and a norm.</summary>
public abstract class StateSpaceModel : RecurrentModel
{
    [ComponentName(Name = "backbone")]
    private readonly StateSpaceBody _body;

    [ComponentName(Name = "lm_head")]
    private readonly Layers.Linear? _head;

    private readonly bool _wideResidual;

    private protected StateSpaceModel(string name, RecurrentConfig config, bool wideResidual, IReadOnlyList<StateSlot> slots, Func<StateMixer> mixer, ScalarType dtype)
        : base(name, config, slots)
    {
        _wideResidual = wideResidual;
        _body = new StateSpaceBody(config, mixer, dtype);
        _head = config.TieEmbeddings ? null : new Layers.Linear(config.Width, config.VocabularySize, dtype: dtype);
        RegisterComponents();
    }

    /// <summary>The blocks in order.</summary>
    public IReadOnlyList<StateBlock> Blocks => _body.Blocks;

    /// <inheritdoc/>
    public sealed override Layers.Embedding Embedding => _body.Embedding;

    /// <summary>The norm before the head.</summary>
    public RmsNormLayer FinalNorm => _body.Norm;

    /// <inheritdoc/>
    public sealed override Layers.Linear? Head => _head;

    private protected sealed override string BodyName => "backbone";

    private protected sealed override Tensor Hidden(Tensor ids, Tensor? tokens, RecurrentState? state)
    {
        var x = Embedding.forward(ids); // (B, T, width)
        x = _wideResidual ? x.to(ScalarType.Float32) : x;
        for (var i = 0; i < Blocks.Count; i++)
        {
            x = Blocks[i].Forward(x, tokens, state?[i, 0], state?[i, 1]);
        }

        return FinalNorm.forward(x.to(FinalNorm.Weight.dtype));
    }

    /// <summary>
    /// Random matrices of deviation 0.02, smaller where they write to the residual stream; kernels uniform within ±1/√K; D one; what else is a mixer's own is
    /// left to <paramref name="own"/>.
    /// </summary>
    private protected void Initialise(long seed, Action<StateMixer, Generator> own)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (var (name, parameter) in named_parameters())
        {
            if (name.EndsWith(".bias", StringComparison.Ordinal))
            {
                parameter.zero_();
            }
            else if (name.EndsWith(".conv1d.weight", StringComparison.Ordinal))
            {
                var bound = 1 / Math.Sqrt(parameter.shape[2]);
                parameter.uniform_(-bound, bound, generator);
            }
            else if (name.EndsWith(".D", StringComparison.Ordinal))
            {
                parameter.fill_(Ops.Scalars.One);
            }
            else if (parameter.dim() == 2 && !name.EndsWith(".A_log", StringComparison.Ordinal))
            {
                parameter.normal_(0, name.EndsWith(".out_proj.weight", StringComparison.Ordinal) ? Deviation / Math.Sqrt(Layers) : Deviation, generator);
            }
        }

        foreach (var block in Blocks)
        {
            own(block.Mixer, generator);
        }
    }

    /// <summary>Biases whose softplus is spread evenly on a logarithmic scale from 0.001 to 0.1, as the paper has it.</summary>
    private protected static void SpreadSteps(Tensor bias, Generator generator)
    {
        using var width = Math.Log(100).ToScalar();
        using var least = Math.Log(0.001).ToScalar();
        var steps = empty_like(bias).uniform_(0, 1, generator).mul(width).add(least, Ops.Scalars.One).exp();
        bias.copy_(steps.expm1().log()); // ln(eˢ - 1): the inverse of softplus
    }
}

/// <summary>Ids to the hidden state that the head reads.</summary>
internal sealed class StateSpaceBody : nn.Module
{
    [ComponentName(Name = "embeddings")]
    private readonly Layers.Embedding _embedding;

    [ComponentName(Name = "layers")]
    private readonly ModuleList<StateBlock> _blocks;

    [ComponentName(Name = "norm_f")]
    private readonly RmsNormLayer _norm;

    public StateSpaceBody(RecurrentConfig config, Func<StateMixer> mixer, ScalarType dtype)
        : base(nameof(StateSpaceBody))
    {
        _embedding = new Layers.Embedding(config.VocabularySize, config.Width, dtype);
        Blocks = [.. Enumerable.Range(0, config.Layers).Select(_ => new StateBlock(new RmsNormLayer(config.Width, config.NormEpsilon, dtype), mixer()))];
        _blocks = new ModuleList<StateBlock>([.. Blocks]);
        _norm = new RmsNormLayer(config.Width, config.NormEpsilon, dtype);
        RegisterComponents();
    }

    public Layers.Embedding Embedding => _embedding;

    public IReadOnlyList<StateBlock> Blocks { get; }

    public RmsNormLayer Norm => _norm;
}
