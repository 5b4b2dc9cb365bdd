using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Where the norms of a block stand.</summary>
public enum NormPlacement
{
    /// <summary>Before each half: <c>x + f(norm(x))</c>.</summary>
    Before,

    /// <summary>On what each half writes: <c>x + norm(f(x))</c> (OLMo 2).</summary>
    After,

    /// <summary>Both: <c>x + norm(f(norm(x)))</c> (Gemma 2).</summary>
    Around,

    /// <summary>On the sum: <c>norm(x + f(x))</c> (the first transformers).</summary>
    AfterSum,

    /// <summary>On the residual stream itself: <c>norm(x) + f(norm(x))</c> (an option of BLOOM).</summary>
    OnStream,
}

/// <summary>One layer of a decoder: attention and feed-forward, each with its norms and added to the residual stream, one after the other or side by side.</summary>
public sealed class DecoderBlock : nn.Module
{
    private readonly int _layer;
    private readonly NormPlacement _placement;
    private readonly bool _parallel;
    private readonly Norm? _attentionOutputNorm;
    private readonly Norm? _feedForwardOutputNorm;

    /// <summary>A block of these parts.</summary>
    /// <param name="layer">Its number.</param>
    /// <param name="attention">The attention.</param>
    /// <param name="feedForward">The feed-forward.</param>
    /// <param name="norm">Makes a norm.</param>
    /// <param name="placement">Where the norms stand.</param>
    /// <param name="parallel">Whether both halves read the same residual stream.</param>
    /// <param name="shared">Whether they also share the norm before them.</param>
    /// <param name="names">What the family calls the parts.</param>
    public DecoderBlock(
        int layer, AttentionBlock attention, FeedForward feedForward, Func<Norm> norm, NormPlacement placement, bool parallel, bool shared, BlockNames names)
        : base(nameof(DecoderBlock))
    {
        (_layer, Attention, FeedForward, _placement, _parallel) = (layer, attention, feedForward, placement, parallel);
        if (placement != NormPlacement.After)
        {
            AttentionNorm = Add(names.AttentionNorm, norm());
        }

        Add(names.Attention, attention);
        if (placement is NormPlacement.After or NormPlacement.Around)
        {
            _attentionOutputNorm = Add(names.AttentionOutputNorm, norm());
        }

        if (placement != NormPlacement.After)
        {
            FeedForwardNorm = shared ? AttentionNorm : Add(names.FeedForwardNorm, norm());
        }

        if (names.FeedForward is { } name)
        {
            Add(name, feedForward);
        }
        else
        {
            feedForward.named_children().ToList().ForEach(child => register_module(child.name, child.module));
        }

        if (placement is NormPlacement.After or NormPlacement.Around)
        {
            _feedForwardOutputNorm = Add(names.FeedForwardOutputNorm, norm());
        }
    }

    /// <summary>The norm of the attention half; null where only its output is normed.</summary>
    public Norm? AttentionNorm { get; }

    /// <summary>The attention half.</summary>
    public AttentionBlock Attention { get; }

    /// <summary>The norm of the feed-forward half, which may be that of the attention; null where only its output is normed.</summary>
    public Norm? FeedForwardNorm { get; }

    /// <summary>The feed-forward half.</summary>
    public FeedForward FeedForward { get; }

    /// <summary>The block's linears by what they read.</summary>
    public IEnumerable<LinearGroup> Groups
    {
        get
        {
            // Only what nothing else reads can take a norm's scale into its weights.
            var before = _placement is not (NormPlacement.AfterSum or NormPlacement.OnStream);
            var inputs = Attention.Inputs;
            yield return new(LinearRole.AttentionInput, inputs) { Block = _layer, Norm = before ? AttentionNorm : null };
            yield return new(LinearRole.AttentionOutput, [Attention.Output])
            {
                Block = _layer,
                OutputNorm = _attentionOutputNorm,
                Source = inputs.Count == 3 ? inputs[2] : null,
            };
            foreach (var group in FeedForward.Groups)
            {
                yield return group.WritesResidual
                    ? group with { Block = _layer, OutputNorm = _feedForwardOutputNorm }
                    : group with { Block = _layer, Norm = before ? FeedForwardNorm : null };
            }
        }
    }

    /// <summary>(B, T, width) to (B, T, width).</summary>
    public Tensor Forward(Tensor x, AttentionContext context)
    {
        var before = _placement is NormPlacement.Before or NormPlacement.Around or NormPlacement.OnStream;
        var normed = before ? AttentionNorm!.forward(x) : x;
        var attended = Attention.Forward(normed, context);
        if (_parallel)
        {
            var other = before && !ReferenceEquals(FeedForwardNorm, AttentionNorm) ? FeedForwardNorm!.forward(x) : normed;
            return x.add(attended, Ops.Scalars.One).add(FeedForward.forward(other), Ops.Scalars.One);
        }

        x = Add(_placement == NormPlacement.OnStream ? normed : x, attended, _attentionOutputNorm, AttentionNorm);
        normed = before ? FeedForwardNorm!.forward(x) : x;
        return Add(_placement == NormPlacement.OnStream ? normed : x, FeedForward.forward(normed), _feedForwardOutputNorm, FeedForwardNorm);
    }

    /// <summary>Children have the names of the family: the constructor registers them.</summary>
    protected override void RegisterComponents()
    {
    }

    private Tensor Add(Tensor x, Tensor written, Norm? outputNorm, Norm? norm)
    {
        var sum = x.add(outputNorm is null ? written : outputNorm.forward(written), Ops.Scalars.One);
        return _placement == NormPlacement.AfterSum ? norm!.forward(sum) : sum;
    }

    private T Add<T>(string name, T module)
        where T : nn.Module
    {
        register_module(name, module);
        return module;
    }
}
