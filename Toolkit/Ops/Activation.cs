using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>The nonlinearity of a feed-forward.</summary>
public enum Activation
{
    /// <summary><c>x · sigmoid(x)</c>.</summary>
    Silu,

    /// <summary><c>x · Φ(x)</c> with the exact normal distribution (Hendrycks and Gimpel, 2016).</summary>
    Gelu,

    /// <summary>Its approximation by a hyperbolic tangent, which GPT-2, BLOOM and Gemma were trained with.</summary>
    GeluTanh,

    /// <summary>Its approximation <c>x · sigmoid(1.702·x)</c>.</summary>
    QuickGelu,

    /// <summary><c>max(x, 0)</c>.</summary>
    Relu,

    /// <summary><c>max(x, 0)²</c> (So et al., 2021).</summary>
    SquaredRelu,
}

/// <summary>Computes an <see cref="Activation"/>.</summary>
public static class ActivationFunction
{
    private static readonly Scalar Half = 0.5.ToScalar();
    private static readonly Scalar Cubic = 0.044715.ToScalar();
    private static readonly Scalar Slope = Math.Sqrt(2 / Math.PI).ToScalar();
    private static readonly Scalar Quick = 1.702.ToScalar();

    /// <summary>The activation of every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such activation.</exception>
    public static Tensor Apply(Tensor x, Activation activation) => activation switch
    {
        Activation.Silu => nn.functional.silu(x),
        Activation.Gelu => nn.functional.gelu(x),
        Activation.GeluTanh => x.mul(Half).mul(x.mul(x).mul(x).mul(Cubic).add(x, Scalars.One).mul(Slope).tanh().add(Scalars.One, Scalars.One)),
        Activation.QuickGelu => x.mul(x.mul(Quick).sigmoid()),
        Activation.Relu => nn.functional.relu(x),
        Activation.SquaredRelu => Square(nn.functional.relu(x)),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), $"there is no activation {activation}"),
    };

    private static Tensor Square(Tensor x) => x.mul(x);
}
