using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>The half of a state-space block that mixes positions.</summary>
public abstract class StateMixer(string name) : nn.Module(name)
{
    /// <summary>Writes to the residual stream.</summary>
    public abstract Linear Output { get; }

    /// <summary>(B, T, width) to (B, T, width).</summary>
    /// <param name="x">What the norm before makes of the residual stream.</param>
    /// <param name="tokens">One for a token and zero for padding, (B, T, 1); null where nothing is padded.</param>
    /// <param name="convolution">The last positions before the convolution, (B, K - 1, channels), overwritten; or null.</param>
    /// <param name="state">The state of the recurrence, overwritten; or null.</param>
    public abstract Tensor Forward(Tensor x, Tensor? tokens, Tensor? convolution, Tensor? state);

    /// <summary>ln(1 + eˣ), which overflows nowhere.</summary>
    private protected static Tensor Softplus(Tensor x) => nn.functional.logsigmoid(x.neg()).neg();
}
