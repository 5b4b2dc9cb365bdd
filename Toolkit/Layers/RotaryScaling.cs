namespace Toolkit.Layers;

/// <summary>How the frequencies of rotary positions are changed so that a model reads longer texts than it was trained on.</summary>
public enum RotaryScalingKind
{
    /// <summary>Every frequency is divided by the factor: positions are interpolated (Chen et al., 2023).</summary>
    Linear,

    /// <summary>Beyond the original positions the base grows with the length, the faster the higher the frequency (dynamic NTK).</summary>
    Dynamic,

    /// <summary>Low frequencies are interpolated, high ones kept, with a ramp between; scores are sharpened (YaRN, Peng et al., 2023).</summary>
    Yarn,

    /// <summary>Wavelengths longer than the original positions are interpolated, short ones kept (Llama 3.1).</summary>
    Llama3,

    /// <summary>A searched factor for every frequency, another set beyond the original positions (LongRoPE, Ding et al., 2024).</summary>
    LongRope,
}

/// <summary>A <see cref="RotaryScalingKind"/> with its numbers.</summary>
public sealed record RotaryScaling
{
    /// <summary>The method.</summary>
    public required RotaryScalingKind Kind { get; init; }

    /// <summary>How many times longer the texts become.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Positions the model was trained on before.</summary>
    public required int OriginalPositions { get; init; }

    /// <summary>Llama 3: wavelengths above original positions divided by this are interpolated.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary>Llama 3: wavelengths below original positions divided by this are kept.</summary>
    public double HighFrequencyFactor { get; init; } = 4;

    /// <summary>YaRN: frequencies that turn more often than this over the original positions are kept.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>YaRN: frequencies that turn less often than this are interpolated.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>YaRN: whether the ends of the ramp are whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>YaRN and LongRoPE: what cosines and sines are multiplied by.</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>LongRoPE: the factor of every frequency up to the original positions.</summary>
    public ValueList<double>? ShortFactors { get; init; }

    /// <summary>LongRoPE: the factor of every frequency beyond them.</summary>
    public ValueList<double>? LongFactors { get; init; }

    /// <summary>The length that the frequencies of a sequence depend on: 0 where they are the same for all lengths up to this one.</summary>
    public long FrequencyLength(long length) => Kind switch
    {
        RotaryScalingKind.Dynamic when length > OriginalPositions => length,
        RotaryScalingKind.LongRope when length > OriginalPositions => OriginalPositions + 1L,
        _ => 0,
    };

    /// <summary>Whether longer texts change the frequencies of what was read before.</summary>
    public bool DependsOnLength => Kind is RotaryScalingKind.Dynamic or RotaryScalingKind.LongRope;
}
