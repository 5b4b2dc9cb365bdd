using Toolkit.Decoding;

namespace Toolkit.Tests.Decoding;

public sealed class SamplingOptionsTests
{
    public static TheoryData<SamplingOptions, string> Wrong => new()
    {
        { new SamplingOptions { Temperature = -0.5 }, "Temperature is -0.5" },
        { new SamplingOptions { Temperature = double.NaN }, "Temperature is NaN" },
        { new SamplingOptions { TopK = -3 }, "TopK is -3" },
        { new SamplingOptions { TopP = 0 }, "TopP is 0" },
        { new SamplingOptions { TopP = 1.5 }, "TopP is 1.5" },
        { new SamplingOptions { MinP = -1 }, "MinP is -1" },
        { new SamplingOptions { MinP = 2 }, "MinP is 2" },
        { new SamplingOptions { RepetitionPenalty = 0 }, "RepetitionPenalty is 0" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Values_outside_their_range_are_named(SamplingOptions options, string message) =>
        Assert.Contains(message, Assert.Throws<ArgumentOutOfRangeException>(options.Validate).Message, StringComparison.Ordinal);

    [Fact]
    public void Generation_checks_its_own_values_and_the_sampling()
    {
        Assert.Contains("MaxTokens is 0", Assert.Throws<ArgumentOutOfRangeException>(new GenerationOptions { MaxTokens = 0 }.Validate).Message, StringComparison.Ordinal);
        Assert.Contains("Stop string 2 of 2", Assert.Throws<ArgumentException>(new GenerationOptions { StopStrings = ["a", ""] }.Validate).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(new GenerationOptions { Sampling = new() { TopK = -1 } }.Validate);
        new GenerationOptions { Sampling = SamplingOptions.Greedy, StopStrings = ["\n"] }.Validate();
    }
}
