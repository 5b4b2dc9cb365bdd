namespace Toolkit.Layers;

/// <summary>Angles a position of rotary embedding, one for every pair of dimensions. Kept in float32, as Hugging Face does: long positions would differ.</summary>
public static class RotaryFrequencies
{
    /// <summary>The frequencies of R/2 pairs.</summary>
    /// <param name="dimension">R: dimensions that turn.</param>
    /// <param name="theta">Base.</param>
    /// <param name="scaling">How they are changed for longer texts, or null.</param>
    /// <param name="length">Positions of the sequence, which some ways of scaling look at.</param>
    public static float[] Of(int dimension, double theta, RotaryScaling? scaling = null, long length = 0) => scaling?.Kind switch
    {
        null => Plain(dimension, theta),
        RotaryScalingKind.Linear => [.. Plain(dimension, theta).Select(f => f / (float)scaling.Factor)],
        RotaryScalingKind.Dynamic => Plain(dimension, DynamicBase(dimension, theta, scaling, length)),
        RotaryScalingKind.Yarn => Yarn(dimension, theta, scaling),
        RotaryScalingKind.Llama3 => [.. Plain(dimension, theta).Select(f => Llama3(f, scaling))],
        RotaryScalingKind.LongRope => LongRope(dimension, theta, length > scaling.OriginalPositions ? scaling.LongFactors! : scaling.ShortFactors!),
        _ => throw new ArgumentOutOfRangeException(nameof(scaling), $"there is no rotary scaling {scaling.Kind}"),
    };

    private static float[] Plain(int dimension, double theta) =>
        [.. Enumerable.Range(0, dimension / 2).Select(i => 1f / MathF.Pow((float)theta, 2f * i / dimension))];

    private static double DynamicBase(int dimension, double theta, RotaryScaling s, long length)
    {
        var longest = Math.Max(length, s.OriginalPositions);
        return theta * Math.Pow((s.Factor * longest / s.OriginalPositions) - (s.Factor - 1), dimension / (dimension - 2.0));
    }

    private static float[] Yarn(int dimension, double theta, RotaryScaling s)
    {
        var (low, high) = (Turning(s.BetaFast), Turning(s.BetaSlow));
        if (s.Truncate)
        {
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        }

        (low, high) = (Math.Max(low, 0), Math.Min(high, dimension - 1));
        if (low == high)
        {
            high += 0.001;
        }

        var plain = Plain(dimension, theta);
        for (var i = 0; i < plain.Length; i++)
        {
            var interpolated = (float)Math.Clamp((i - low) / (high - low), 0, 1);
            plain[i] = (plain[i] / (float)s.Factor * interpolated) + (plain[i] * (1 - interpolated));
        }

        return plain;

        // The dimension whose frequency makes so many turns over the original positions.
        double Turning(double turns) => dimension * Math.Log(s.OriginalPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
    }

    private static float Llama3(float frequency, RotaryScaling s)
    {
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength < s.OriginalPositions / s.HighFrequencyFactor)
        {
            return frequency;
        }

        if (wavelength > s.OriginalPositions / s.LowFrequencyFactor)
        {
            return frequency / (float)s.Factor;
        }

        var kept = (float)(((s.OriginalPositions / wavelength) - s.LowFrequencyFactor) / (s.HighFrequencyFactor - s.LowFrequencyFactor));
        return ((1 - kept) * (frequency / (float)s.Factor)) + (kept * frequency);
    }

    private static float[] LongRope(int dimension, double theta, ValueList<double> factors) =>
        [.. Enumerable.Range(0, dimension / 2).Select(i => 1f / ((float)factors[i] * MathF.Pow((float)theta, 2f * i / dimension)))];
}
