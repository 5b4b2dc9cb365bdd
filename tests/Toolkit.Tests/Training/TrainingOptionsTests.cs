using Toolkit.Training;

namespace Toolkit.Tests.Training;

public sealed class TrainingOptionsTests
{
    public static TheoryData<TrainingOptions, string> Wrong => new()
    {
        { new() { Steps = 0 }, "steps 0" },
        { new() { BatchSize = -1 }, "batch size -1" },
        { new() { SequenceLength = 0 }, "sequence length 0" },
        { new() { GradientAccumulation = 0 }, "accumulation 0" },
        { new() { LearningRate = double.NaN }, "learning rate NaN" },
        { new() { LearningRate = 1e-4, MinLearningRate = 1 }, "learning rate 1 " },
        { new() { Steps = 10, WarmupSteps = 11 }, "11 steps" },
        { new() { WeightDecay = -0.1 }, "weight decay -0.1" },
        { new() { Beta1 = 1 }, "beta1 1" },
        { new() { Beta2 = -0.5 }, "beta2 -0.5" },
        { new() { GradientClip = -2 }, "clip -2" },
        { new() { Precision = (TrainingPrecision)7 }, "precision 7" },
        { new() { ValidationTokens = 0 }, "validation tokens 0" },
        { new() { CheckpointEvery = 5 }, "every 5 steps" },
        { new() { PeakFlopsPerSecond = 0 }, "peak of 0" },
    };

    [Fact]
    public void Defaults_are_valid_and_follow_from_each_other()
    {
        var options = new TrainingOptions { Steps = 200, LearningRate = 2e-3 }.Validated();
        Assert.Equal((2e-4, 10), (options.MinLearningRate, options.WarmupSteps));
        Assert.Equal(100, new TrainingOptions { Steps = 100_000 }.WarmupSteps);
        new TrainingOptions { Steps = 1 }.Validated();
    }

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void Wrong_numbers_are_named(TrainingOptions options, string message) =>
        Assert.Contains(message, Assert.Throws<ArgumentException>(options.Validated).Message, StringComparison.Ordinal);
}
