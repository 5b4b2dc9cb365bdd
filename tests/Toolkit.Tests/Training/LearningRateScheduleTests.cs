using CsCheck;
using Toolkit.Training;

namespace Toolkit.Tests.Training;

public sealed class LearningRateScheduleTests
{
    [Fact]
    public void It_rises_in_a_line_and_falls_along_a_cosine()
    {
        var schedule = new LearningRateSchedule(1.0, 0.1, 4, 12);
        Assert.Equal([0.25, 0.5, 0.75, 1.0], Enumerable.Range(1, 4).Select(schedule.At));
        Assert.Equal(0.55, schedule.At(8), 12);
        Assert.Equal(0.1, schedule.At(12), 12);
        Assert.Equal(0.1, schedule.At(100), 12);
    }

    [Fact]
    public void It_rises_once_falls_once_and_stays_within_its_bounds() =>
        Gen.Select(Gen.Double[1e-6, 1], Gen.Double[0, 1], Gen.Int[0, 50], Gen.Int[1, 100]).Sample((peak, part, warmup, more) =>
        {
            var schedule = new LearningRateSchedule(peak, peak * part, warmup, warmup + more);
            var rates = Enumerable.Range(1, warmup + more).Select(schedule.At).ToArray();
            Assert.All(rates, rate => Assert.InRange(rate, 0, peak * (1 + 1e-12)));
            Assert.Equal(rates[..warmup].Order(), rates[..warmup]);
            Assert.All(rates[warmup..].Zip(rates[warmup..].Skip(1)), pair => Assert.True(pair.First >= pair.Second));
            Assert.Equal(peak * part, rates[^1], 1e-9);
        });
}
