namespace Toolkit.Decoding;

/// <summary>Draws tokens from probabilities with its own random numbers (SplitMix64; Steele, Lea, Flood 2014): the same seed gives the same draws on every machine.</summary>
public sealed class Sampler(long seed)
{
    private ulong _state = unchecked((ulong)seed);

    /// <summary>Draws an index with its probability. Values need not sum to one: they count as weights.</summary>
    /// <exception cref="ArgumentException">No weight is positive, or one is negative, NaN or infinite.</exception>
    public int Draw(ReadOnlySpan<float> probabilities)
    {
        var total = 0.0;
        var last = -1;
        for (var i = 0; i < probabilities.Length; i++)
        {
            var weight = probabilities[i];
            if (!(weight >= 0 && weight < float.PositiveInfinity))
            {
                throw new ArgumentException($"Probability {i} of {probabilities.Length} is {weight}.", nameof(probabilities));
            }

            total += weight;
            last = weight > 0 ? i : last;
        }

        if (last < 0)
        {
            throw new ArgumentException($"None of the {probabilities.Length} probabilities is positive.", nameof(probabilities));
        }

        var target = NextDouble() * total;
        var sum = 0.0;
        for (var i = 0; i < last; i++)
        {
            sum += probabilities[i];
            if (target < sum)
            {
                return i;
            }
        }

        return last;
    }

    /// <summary>A number from 0 up to but not including 1.</summary>
    internal double NextDouble()
    {
        unchecked
        {
            _state += 0x9E3779B97F4A7C15UL;
            var z = _state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
            z ^= z >> 31;
            return (z >> 11) * (1.0 / (1UL << 53));
        }
    }
}
