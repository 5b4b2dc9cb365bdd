namespace Toolkit.Layers;

/// <summary>Where in a model a linear stands.</summary>
public enum LinearRole
{
    /// <summary>Makes queries, keys and values from the residual stream.</summary>
    AttentionInput,

    /// <summary>Writes what the attention found to the residual stream.</summary>
    AttentionOutput,

    /// <summary>Scores the experts of a mixture.</summary>
    Router,

    /// <summary>Makes the inner values of a feed-forward from the residual stream.</summary>
    FeedForwardInput,

    /// <summary>Writes the inner values to the residual stream.</summary>
    FeedForwardOutput,

    /// <summary>Turns the embedding into the residual stream, or the other way, where their widths differ.</summary>
    Projection,

    /// <summary>Makes logits.</summary>
    Head,
}

/// <summary>
/// Linears that read one and the same input, and what stands around them. All of a model's groups together are its topology: methods that change
/// weights (quantization, rotation, sharding) read it and need to know no family by name.
/// </summary>
/// <param name="Role">Where they stand.</param>
/// <param name="Linears">The linears.</param>
public sealed record LinearGroup(LinearRole Role, IReadOnlyList<Linear> Linears)
{
    /// <summary>Number of the block, or null outside of the blocks.</summary>
    public int? Block { get; init; }

    /// <summary>The norm between the residual stream and their input; null where the input is no normed residual stream.</summary>
    public Norm? Norm { get; init; }

    /// <summary>The norm between their output and the residual stream, or null.</summary>
    public Norm? OutputNorm { get; init; }

    /// <summary>
    /// The linear before them whose outputs are, channel by channel, a factor of their inputs, or null where a nonlinearity stands between or several
    /// are fused: up before down, values (of fewer heads, each serving its group) before the attention's output.
    /// </summary>
    public Linear? Source { get; init; }

    /// <summary>Share of the tokens that pass them: below 1 in a mixture of experts.</summary>
    public double ActiveShare { get; init; } = 1;

    /// <summary>Whether they read the residual stream, through <see cref="Norm"/> if there is one.</summary>
    public bool ReadsResidual => Role is LinearRole.AttentionInput or LinearRole.FeedForwardInput or LinearRole.Router or LinearRole.Head;

    /// <summary>Whether what they write is added to the residual stream, through <see cref="OutputNorm"/> if there is one.</summary>
    public bool WritesResidual => Role is LinearRole.AttentionOutput or LinearRole.FeedForwardOutput;
}
