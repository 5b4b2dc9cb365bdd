using Toolkit.Decoding;

namespace Toolkit.Tests.Decoding;

public sealed class DistributionTests
{
    private static readonly float[] Row = [1.5f, -0.5f, 3f, 0f, 2.5f, -4f, 1.4f, 2.9f];

    [Fact]
    public void The_default_is_the_softmax()
    {
        AssertClose(Reference(Row, new SamplingOptions(), []), Probabilities(Row, new SamplingOptions()));
    }

    [Fact]
    public void Greedy_is_one_at_the_largest_logit_first_of_equals()
    {
        Assert.Equal([0, 0, 1, 0, 0, 0, 0, 0], Probabilities(Row, SamplingOptions.Greedy));
        Assert.Equal([0, 1, 0, 1 - 1], Probabilities([1, 7, 2, 7], SamplingOptions.Greedy));
    }

    [Theory]
    [InlineData(0.5, 0, 1, 0, 1)]
    [InlineData(1, 3, 1, 0, 1)]
    [InlineData(1, 0, 0.7, 0, 1)]
    [InlineData(1, 0, 1, 0.2, 1)]
    [InlineData(1, 0, 1, 0, 1.7)]
    [InlineData(0.8, 5, 0.9, 0.1, 1.3)]
    [InlineData(2, 50, 0.95, 0.05, 0.8)]
    public void Filters_agree_with_the_reference_on_any_row(double temperature, int topK, double topP, double minP, double penalty)
    {
        var options = new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, RepetitionPenalty = penalty };
        // A fixed seed: float and double may disagree on a token that lies within rounding of a threshold.
        var random = new Random(20);
        for (var sample = 0; sample < 200; sample++)
        {
            var row = Enumerable.Range(0, random.Next(1, 300)).Select(_ => (random.NextSingle() * 24) - 12).ToArray();
            int[] context = [0, row.Length - 1, 0, row.Length / 2];
            AssertClose(Reference(row, options, context), Probabilities(row, options, context));
        }
    }

    [Fact]
    public void Top_k_keeps_those_tied_with_the_last()
    {
        var kept = Probabilities([1, 2, 2, 3, 0], new SamplingOptions { TopK = 2 });
        Assert.Equal([false, true, true, true, false], kept.Select(p => p > 0));
    }

    [Fact]
    public void Top_p_keeps_the_token_that_reaches_the_sum_and_always_one()
    {
        // Probabilities 0.5, 0.25, 0.125, 0.125.
        float[] row = [MathF.Log(4), MathF.Log(2), 0, 0];
        Assert.Equal([true, true, false, false], Probabilities(row, new SamplingOptions { TopP = 0.6 }).Select(p => p > 0));
        Assert.Equal([true, false, false, false], Probabilities(row, new SamplingOptions { TopP = 0.01 }).Select(p => p > 0));
    }

    [Fact]
    public void A_repeated_token_is_penalised_once()
    {
        var options = new SamplingOptions { RepetitionPenalty = 2 };
        Assert.Equal(Probabilities(Row, options, [2, 5]), Probabilities(Row, options, [2, 5, 2, 2, 5]));
        var penalised = Row.ToArray();
        (penalised[2], penalised[5]) = (1.5f, -8f);
        AssertClose(Reference(penalised, new SamplingOptions(), []), Probabilities(Row, options, [5, 2]));
    }

    [Fact]
    public void A_tiny_temperature_is_greedy_and_does_not_overflow()
    {
        AssertClose([0, 0, 1, 0, 0, 0, 0, 0], Probabilities(Row, new SamplingOptions { Temperature = 1e-40 }));
        AssertClose([0, 1], Probabilities([-3e38f, 3e38f], new SamplingOptions { Temperature = 0.1 }));
    }

    [Fact]
    public void Impossible_tokens_stay_impossible()
    {
        Assert.Equal([0.5f, 0, 0.5f], Probabilities([1, float.NegativeInfinity, 1], new SamplingOptions { TopP = 0.99, TopK = 3 }));
    }

    [Theory]
    [InlineData(float.NaN, "Logit 3 of 8 is NaN")]
    [InlineData(float.PositiveInfinity, "Logit 3 of 8 is ")]
    public void Damaged_logits_are_named(float damage, string message)
    {
        var row = Row.ToArray();
        row[3] = damage;
        foreach (var options in new[] { SamplingOptions.Greedy, new SamplingOptions(), new SamplingOptions { TopK = 2, TopP = 0.5, RepetitionPenalty = 1.1 } })
        {
            Assert.Contains(message, Assert.Throws<InvalidOperationException>(() => Probabilities(row, options, [1, 3])).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void No_possible_token_is_an_error()
    {
        var row = new float[5];
        Array.Fill(row, float.NegativeInfinity);
        Assert.Contains("All 5 logits", Assert.Throws<InvalidOperationException>(() => Probabilities(row, new SamplingOptions())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Buffers_must_fit()
    {
        Assert.Throws<ArgumentException>(() => Distribution.FromLogits(Row, new float[3], new SamplingOptions()));
        var same = Row.ToArray();
        Assert.Throws<ArgumentException>(() => Distribution.FromLogits(same, same, new SamplingOptions()));
    }

    [Fact]
    public void Log_probability_is_the_models_own()
    {
        var expected = Reference(Row, new SamplingOptions(), []);
        for (var id = 0; id < Row.Length; id++)
        {
            Assert.Equal(Math.Log(expected[id]), Distribution.LogProbability(Row, id, new float[Row.Length]), 5);
        }
    }

    private static float[] Probabilities(float[] row, SamplingOptions options, params int[] context)
    {
        var probabilities = new float[row.Length];
        Distribution.FromLogits(row, probabilities, options, context);
        return probabilities;
    }

    /// <summary>The definitions, step by step in double precision, as sorted lists.</summary>
    private static double[] Reference(float[] row, SamplingOptions options, int[] context)
    {
        var logits = row.Select(l => (double)l).ToArray();
        foreach (var id in context.Distinct())
        {
            logits[id] = logits[id] < 0 ? logits[id] * options.RepetitionPenalty : logits[id] / options.RepetitionPenalty;
        }

        logits = [.. logits.Select(l => l / options.Temperature)];
        if (options.TopK > 0)
        {
            var threshold = logits.OrderDescending().Take(options.TopK).Last();
            logits = [.. logits.Select(l => l < threshold ? double.NegativeInfinity : l)];
        }

        var order = Enumerable.Range(0, logits.Length).OrderBy(i => logits[i]).ToArray();
        var probabilities = SoftMax(logits);
        var cumulative = 0.0;
        foreach (var id in order[..^1])
        {
            cumulative += probabilities[id];
            logits[id] = cumulative <= 1 - options.TopP ? double.NegativeInfinity : logits[id];
        }

        probabilities = SoftMax(logits);
        var limit = options.MinP * probabilities.Max();
        return SoftMax([.. logits.Select((l, i) => probabilities[i] < limit ? double.NegativeInfinity : l)]);
    }

    private static double[] SoftMax(double[] logits)
    {
        var weights = logits.Select(l => Math.Exp(l - logits.Max())).ToArray();
        return [.. weights.Select(w => w / weights.Sum())];
    }

    private static void AssertClose(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) < 2e-5, $"Token {i}: expected {expected[i]}, got {actual[i]}.");
        }
    }
}
