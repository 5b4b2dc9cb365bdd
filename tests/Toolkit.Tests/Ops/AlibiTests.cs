using Toolkit.Ops;

namespace Toolkit.Tests.Ops;

public sealed class AlibiTests
{
    [Theory]
    [InlineData(1, new[] { 1 / 256f })]
    [InlineData(4, new[] { 1 / 4f, 1 / 16f, 1 / 64f, 1 / 256f })]
    [InlineData(8, new[] { 1 / 2f, 1 / 4f, 1 / 8f, 1 / 16f, 1 / 32f, 1 / 64f, 1 / 128f, 1 / 256f })]
    [InlineData(6, new[] { 1 / 4f, 1 / 16f, 1 / 64f, 1 / 256f, 1 / 2f, 1 / 8f })]
    public void SlopesAreThoseOfThePaper(int heads, float[] expected) => Assert.Equal(expected, Alibi.Slopes(heads));

    [Fact]
    public void TheSlopesOfAnyNumberOfHeadsDiffer()
    {
        for (var heads = 1; heads <= 130; heads++)
        {
            var slopes = Alibi.Slopes(heads);
            Assert.Equal(heads, slopes.Distinct().Count());
            Assert.All(slopes, slope => Assert.InRange(slope, 1 / 257f, 1));
        }
    }

    [Fact]
    public void NoHeadsAreRefused() => Assert.Throws<ArgumentOutOfRangeException>(() => Alibi.Slopes(0));
}
