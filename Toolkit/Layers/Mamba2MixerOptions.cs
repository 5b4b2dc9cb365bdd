namespace Toolkit.Layers;

/// <summary>The shape of a <see cref="Mamba2Mixer"/>.</summary>
public sealed record Mamba2MixerOptions
{
    /// <summary>Width of the residual stream.</summary>
    public required int Width { get; init; }

    /// <summary>Heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Rows of a head's state.</summary>
    public required int HeadDimension { get; init; }

    /// <summary>Columns of a head's state.</summary>
    public required int States { get; init; }

    /// <summary>Groups of heads that share keys and queries.</summary>
    public required int Groups { get; init; }

    /// <summary>Positions of the convolution.</summary>
    public required int Kernel { get; init; }

    /// <summary>Positions of a chunk, where the scan is made of matrix products.</summary>
    public required int Chunk { get; init; }

    /// <summary>Whether the linears have a bias.</summary>
    public bool Bias { get; init; }

    /// <summary>Whether the convolution has one.</summary>
    public bool ConvolutionBias { get; init; } = true;

    /// <summary>What the convolution passes through. The gate is always silu.</summary>
    public Ops.Activation Activation { get; init; }

    /// <summary>ε of the gated norm.</summary>
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>The smallest step.</summary>
    public double LeastStep { get; init; }

    /// <summary>The largest step.</summary>
    public double MostStep { get; init; } = double.PositiveInfinity;

    /// <summary>Values of all heads.</summary>
    public int Inner => Heads * HeadDimension;

    /// <summary>What the convolution passes: values, keys and queries.</summary>
    public int Channels => Inner + (2 * Groups * States);
}
