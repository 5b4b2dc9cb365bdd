using Toolkit.Layers;
using Toolkit.Models;
using Toolkit.Tests.Models;
using static TorchSharp.torch;

namespace Toolkit.Tests.Layers;

/// <summary>The position schemes as parts of their own.</summary>
public sealed class PositionTests
{
    [Fact]
    public void SinusoidalPositionsAreThoseOfThePaper()
    {
        using var scope = NewDisposeScope();
        using var ids = zeros(1, 7, int64);
        var rows = new SinusoidalPositions(6).Rows(new AttentionContext(ids, null, null), float32, CPU).data<float>().ToArray().Chunk(6).ToArray();
        for (var t = 0; t < 7; t++)
        {
            for (var i = 0; i < 3; i++)
            {
                var angle = t / Math.Pow(10000, 2.0 * i / 6);
                Assert.Equal(Math.Sin(angle), rows[t][2 * i], 1e-5);
                Assert.Equal(Math.Cos(angle), rows[t][(2 * i) + 1], 1e-5);
            }
        }
    }

    [Theory]
    [InlineData(PositionScheme.Sinusoidal)]
    [InlineData(PositionScheme.Learned)]
    [InlineData(PositionScheme.LinearBias)]
    [InlineData(PositionScheme.Rotary)]
    public void AnySchemeServesAnyModel(PositionScheme scheme)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var config = DecoderConfig.Llama(2, 32, 4, 2, 50, maxPositions: 64) with { Positions = scheme, SlidingWindow = 11 };
        using var model = Decoder.Create(config, seed: 2);
        var ids = randint(0, 50, [2, 40], int64);
        FamilyContract.CacheChangesNothing(model, ids);
        FamilyContract.PaddingChangesNothing(model, ids);

        // Positions are seen: a token that repeats is not the same everywhere.
        var repeated = model.forward(full([1, 6], 3, int64));
        if (scheme is PositionScheme.Sinusoidal or PositionScheme.Learned)
        {
            Assert.NotEqual(0, Tensors.Difference(repeated.narrow(1, 0, 1), repeated.narrow(1, 5, 1)));
        }
    }

    [Fact]
    public void PaddedPositionsCountTokensOnly()
    {
        using var scope = NewDisposeScope();
        var mask = tensor(new long[,] { { 0, 0, 1, 1, 1 }, { 1, 1, 1, 1, 0 } });
        var context = new AttentionContext(zeros(2, 5, int64), mask, null);
        Assert.Equal([0, 0, 0, 1, 2, 0, 1, 2, 3, 3], context.Positions!.data<long>().ToArray());
        var seen = context.Mask(2, 5)!.data<bool>().ToArray().Chunk(5).Select(row => string.Concat(row.Select(x => x ? '1' : '0'))).ToArray();
        Assert.Equal(["10000", "01000", "00100", "00110", "00011", "10000", "11000", "01100", "00110", "00011"], seen);
    }

    [Theory]
    [InlineData(RotaryScalingKind.Linear)]
    [InlineData(RotaryScalingKind.Yarn)]
    [InlineData(RotaryScalingKind.Llama3)]
    public void AFactorOfOneScalesNothing(RotaryScalingKind kind)
    {
        var scaling = new RotaryScaling { Kind = kind, Factor = 1, OriginalPositions = 128 };
        Assert.Equal(RotaryFrequencies.Of(16, 10000), RotaryFrequencies.Of(16, 10000, scaling, 500), (a, b) => Math.Abs(a - b) < 1e-7f);
    }

    [Fact]
    public void TheFastestFrequencyIsKeptAndTheSlowestInterpolated()
    {
        var plain = RotaryFrequencies.Of(64, 10000);
        foreach (var kind in new[] { RotaryScalingKind.Yarn, RotaryScalingKind.Llama3 })
        {
            var scaled = RotaryFrequencies.Of(64, 10000, new RotaryScaling { Kind = kind, Factor = 8, OriginalPositions = 2048 });
            Assert.Equal(plain[0], scaled[0], 1e-7f);
            Assert.Equal(plain[^1] / 8, scaled[^1], 1e-9f);
            Assert.All(plain.Zip(scaled), pair => Assert.InRange(pair.Second, pair.First / 8.0001f, pair.First * 1.0001f));
        }
    }
}
