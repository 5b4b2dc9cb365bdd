using Toolkit.Decoding;

namespace Toolkit.Tests.Decoding;

public sealed class SamplerTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2026)]
    public void Frequencies_match_the_probabilities(long seed)
    {
        var probabilities = new float[6];
        Distribution.FromLogits([2, 1, 0.5f, 0, -1, -2], probabilities, new SamplingOptions());
        const int Draws = 60_000;
        var counts = new int[probabilities.Length];
        var sampler = new Sampler(seed);
        for (var i = 0; i < Draws; i++)
        {
            counts[sampler.Draw(probabilities)]++;
        }

        var chiSquare = counts.Select((count, i) => Math.Pow(count - (Draws * (double)probabilities[i]), 2) / (Draws * (double)probabilities[i])).Sum();
        Assert.True(chiSquare < 20.5, $"chi-square {chiSquare} with 5 degrees of freedom has a chance below 0.1 %.");
    }

    [Fact]
    public void Same_seed_same_draws_other_seed_other_draws()
    {
        Assert.Equal(Draws(7), Draws(7));
        Assert.NotEqual(Draws(7), Draws(8));
    }

    [Fact]
    public void Draws_are_the_same_on_every_machine()
    {
        // SplitMix64 with seed 1234567 begins with 6457827717110365317 (reference value of the algorithm).
        Assert.Equal((6457827717110365317UL >> 11) / (double)(1UL << 53), new Sampler(1234567).NextDouble());
    }

    [Fact]
    public void What_has_no_probability_is_never_drawn()
    {
        var sampler = new Sampler(3);
        for (var i = 0; i < 1000; i++)
        {
            Assert.Equal(2, sampler.Draw([0, 0, 1e-30f, 0]));
        }
    }

    [Fact]
    public void Weights_that_are_none_are_named()
    {
        var sampler = new Sampler(0);
        Assert.Contains("Probability 1 of 2 is NaN", Assert.Throws<ArgumentException>(() => sampler.Draw([1, float.NaN])).Message, StringComparison.Ordinal);
        Assert.Contains("Probability 0 of 1 is -1", Assert.Throws<ArgumentException>(() => sampler.Draw([-1])).Message, StringComparison.Ordinal);
        Assert.Contains("None of the 3", Assert.Throws<ArgumentException>(() => sampler.Draw([0, 0, 0])).Message, StringComparison.Ordinal);
    }

    private static int[] Draws(long seed)
    {
        var sampler = new Sampler(seed);
        return [.. Enumerable.Range(0, 50).Select(_ => sampler.Draw([0.1f, 0.2f, 0.3f, 0.4f]))];
    }
}
