namespace Toolkit.Ops;

/// <summary>Attention with linear biases (Press et al., 2022): a head adds its slope times the distance of a key to the score, instead of positions in the embedding.</summary>
public static class Alibi
{
    /// <summary>
    /// The slope of every head: powers of 2^(-8/n) for the n heads of the next lower power of two; heads beyond it take every other power of the
    /// sequence of 2n heads, as BLOOM and Falcon do.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">There are no heads.</exception>
    public static float[] Slopes(int heads)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(heads);
        var whole = 1 << System.Numerics.BitOperations.Log2((uint)heads);
        var slopes = new float[heads];
        var (near, between) = ((float)Math.Pow(2, -8.0 / whole), (float)Math.Pow(2, -4.0 / whole));
        for (var head = 0; head < heads; head++)
        {
            slopes[head] = head < whole ? MathF.Pow(near, head + 1) : MathF.Pow(between, (2 * (head - whole)) + 1);
        }

        return slopes;
    }
}
