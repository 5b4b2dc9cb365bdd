using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>What must hold between the numbers of a <see cref="DecoderConfig"/>.</summary>
internal static class DecoderConfigRules
{
    private const int MostLayers = 1 << 16;

    /// <exception cref="ArgumentException">The numbers do not fit together.</exception>
    public static void Check(DecoderConfig c)
    {
        CheckPositive(c);
        Require(c.Layers <= MostLayers, $"layers {c.Layers} are more than {MostLayers}");
        Require(c.Heads % c.KeyValueHeads == 0, $"heads {c.Heads} is not a multiple of key-value heads {c.KeyValueHeads}");
        Require(((long)c.Heads + (2L * c.KeyValueHeads)) * c.HeadDimension <= int.MaxValue, $"{c.Heads} heads of {c.HeadDimension} are too wide");
        Require(double.IsFinite(c.NormEpsilon) && c.NormEpsilon >= 0, $"norm epsilon {c.NormEpsilon} is not a number from 0 on");
        Require(c.WindowedLayers is null || c.WindowedLayers.Count == c.Layers, $"{c.WindowedLayers?.Count} layers are said to have a window or not, there are {c.Layers}");
        Require(c.RotaryLayers is null || c.RotaryLayers.Count == c.Layers, $"{c.RotaryLayers?.Count} layers are said to be rotary or not, there are {c.Layers}");
        Require(c.WindowedLayers?.Contains(true) != true || c.SlidingWindow is not null, "layers have a window but no size of it is given");
        Require(c.SlidingWindow is null or > 0, $"sliding window {c.SlidingWindow} is not positive");
        Require(c.EmbeddingWidth is null or > 0, $"embedding width {c.EmbeddingWidth} is not positive");
        Require(c.PositionOffset >= 0, $"position offset {c.PositionOffset} is negative");
        foreach (var (name, value) in new[]
                 {
                     ("attention scale", c.AttentionScale), ("attention soft cap", c.AttentionSoftCap), ("logit soft cap", c.LogitSoftCap), ("embedding scale", c.EmbeddingScale),
                 })
        {
            Require(value is null || (double.IsFinite(value.Value) && value > 0), $"{name} {value} is not a positive number");
        }

        if (c.FeedForwardKind == FeedForwardKind.MixtureOfExperts)
        {
            Require(c.Experts > 0 && c.ExpertsPerToken > 0 && c.ExpertsPerToken <= c.Experts, $"{c.ExpertsPerToken} of {c.Experts} experts a token is not possible");
        }

        if (c.Positions == PositionScheme.Rotary)
        {
            CheckRotary(c);
        }
    }

    private static void CheckPositive(DecoderConfig c)
    {
        foreach (var (name, value) in new[]
                 {
                     ("vocabulary size", c.VocabularySize), ("width", c.Width), ("layers", c.Layers), ("heads", c.Heads), ("key-value heads", c.KeyValueHeads),
                     ("head dimension", c.HeadDimension), ("feed-forward width", c.FeedForwardWidth), ("max positions", c.MaxPositions),
                 })
        {
            Require(value > 0, $"{name} {value} is not positive");
        }
    }

    private static void CheckRotary(DecoderConfig c)
    {
        Require(double.IsFinite(c.RopeTheta) && c.RopeTheta > 0, $"rope theta {c.RopeTheta} is not a positive number");
        Require(c.RotaryFactor is > 0 and <= 1, $"rotary factor {c.RotaryFactor} is not above 0 and at most 1");
        Require(c.HeadDimension % 2 == 0 || c.RotaryFactor < 1, $"head dimension {c.HeadDimension} is odd: rotary embedding turns pairs");
        var dimension = c.RotaryDimension;
        Require(dimension > 0 && dimension % 2 == 0, $"rotary dimension {dimension} is not even and positive: rotary embedding turns pairs");
        if (c.RotaryScaling is not { } s)
        {
            return;
        }

        Require(double.IsFinite(s.Factor) && s.Factor > 0, $"rotary scaling factor {s.Factor} is not a positive number");
        Require(s.OriginalPositions > 0, $"original positions {s.OriginalPositions} of rotary scaling are not positive");
        Require(double.IsFinite(s.AttentionFactor) && s.AttentionFactor > 0, $"attention factor {s.AttentionFactor} of rotary scaling is not a positive number");
        switch (s.Kind)
        {
            case RotaryScalingKind.Dynamic:
                Require(dimension > 2, $"dynamic rotary scaling needs more than {dimension} dimensions");
                Require(s.Factor >= 1, $"dynamic rotary scaling by {s.Factor} is less than 1");
                break;
            case RotaryScalingKind.Yarn:
                Require(s.BetaFast > 0 && s.BetaSlow > 0 && c.RopeTheta != 1, $"YaRN from {s.BetaSlow} to {s.BetaFast} turns with theta {c.RopeTheta} is not possible");
                break;
            case RotaryScalingKind.Llama3:
                Require(
                    s.LowFrequencyFactor > 0 && s.HighFrequencyFactor > s.LowFrequencyFactor,
                    $"the low frequency factor {s.LowFrequencyFactor} is not above 0 and below the high one, {s.HighFrequencyFactor}");
                break;
            case RotaryScalingKind.LongRope:
                Require(
                    s.ShortFactors?.Count == dimension / 2 && s.LongFactors?.Count == dimension / 2,
                    $"longrope needs {dimension / 2} factors each, there are {s.ShortFactors?.Count} short and {s.LongFactors?.Count} long ones");
                Require(s.ShortFactors!.Concat(s.LongFactors!).All(f => double.IsFinite(f) && f > 0), "a longrope factor is not a positive number");
                break;
        }
    }

    private static void Require(bool holds, string problem)
    {
        if (!holds)
        {
            throw new ArgumentException(problem);
        }
    }
}
