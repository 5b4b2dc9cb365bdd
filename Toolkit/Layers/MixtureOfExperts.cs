using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>
/// A sparse mixture of experts (Shazeer et al., 2017; Jiang et al., 2024): a router picks for every token the feed-forwards with the highest scores and
/// adds their results, weighted by the softmax over those scores.
/// </summary>
public sealed class MixtureOfExperts : FeedForward
{
    private readonly int _active;

    /// <summary>Experts of <paramref name="hidden"/> inner values each.</summary>
    /// <param name="width">Width of the residual stream.</param>
    /// <param name="hidden">Inner values of an expert.</param>
    /// <param name="experts">Experts.</param>
    /// <param name="active">Experts that a token passes.</param>
    /// <param name="activation">What an expert's gate passes through.</param>
    /// <param name="names">What the family calls the router (its gate).</param>
    /// <param name="expertNames">What the family calls the linears of an expert.</param>
    /// <param name="dtype">Type of the weights.</param>
    public MixtureOfExperts(
        int width, int hidden, int experts, int active, Ops.Activation activation, BlockNames names, BlockNames expertNames, ScalarType dtype = ScalarType.Float32)
        : base(nameof(MixtureOfExperts))
    {
        _active = active;
        Router = Add(names.Gate, width, experts, false, dtype);
        Experts = [.. Enumerable.Range(0, experts).Select(_ => new GatedFeedForward(width, hidden, activation, names: expertNames, dtype: dtype))];
        register_module("experts", new ModuleList<GatedFeedForward>([.. Experts]));
    }

    /// <summary>Scores the experts, (experts, width).</summary>
    public Linear Router { get; }

    /// <summary>The experts.</summary>
    public IReadOnlyList<GatedFeedForward> Experts { get; }

    /// <inheritdoc/>
    public override IEnumerable<LinearGroup> Groups =>
        Experts.SelectMany(expert => expert.Groups).Select(group => group with { ActiveShare = (double)_active / Experts.Count })
            .Prepend(new LinearGroup(LinearRole.Router, [Router]));

    /// <summary>(..., width) to (..., width).</summary>
    public override Tensor forward(Tensor x)
    {
        var tokens = x.reshape(-1, x.shape[^1]); // (N, width)
        var probabilities = Router.forward(tokens).to(ScalarType.Float32).softmax(-1);
        var (weights, chosen) = probabilities.topk(_active, -1); // (N, k)
        weights = weights.div(weights.sum([-1L], keepdim: true)).to(x.dtype);
        var result = is_grad_enabled() ? Routed(tokens, weights, chosen) : Routed(this, tokens, weights, chosen);
        return result.view(x.shape);
    }

    /// <summary>A graph ends where values are read; this it calls instead, where no gradients have to flow through.</summary>
    [Ops.GraphOperator("toolkit::experts")]
    private static Tensor Routed(MixtureOfExperts experts, Tensor tokens, Tensor weights, Tensor chosen) => experts.Routed(tokens, weights, chosen);

    /// <summary>Every token (N, width) through the experts chosen for it (N, k), with their weights (N, k).</summary>
    private Tensor Routed(Tensor tokens, Tensor weights, Tensor chosen)
    {
        var flat = weights.reshape(-1);
        var picks = chosen.to(CPU).contiguous().data<long>().ToArray();
        var result = zeros_like(tokens);
        foreach (var picked in Enumerable.Range(0, picks.Length).GroupBy(pick => picks[pick]).OrderBy(group => group.Key))
        {
            var slots = picked.Select(pick => (long)pick).ToArray();
            var rows = tensor(slots.Select(slot => slot / _active).ToArray()).to(tokens.device);
            var weight = flat.index_select(0, tensor(slots).to(tokens.device)).unsqueeze(-1);
            var output = Experts[(int)picked.Key].forward(tokens.index_select(0, rows)).mul(weight);
            result = result.index_add(0, rows, output, Ops.Scalars.One);
        }

        return result;
    }
}
