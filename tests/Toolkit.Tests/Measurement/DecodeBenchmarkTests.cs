using Toolkit.Measurement;
using Toolkit.Models;
using Toolkit.Tests.Decoding;

namespace Toolkit.Tests.Measurement;

public sealed class DecodeBenchmarkTests
{
    private static readonly MachineCeiling Ceiling = new(ReadBytesPerSecond: 10e9, MatMulFlopsPerSecond: 100e9, Threads: 2);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Bytes_a_token_are_the_weights_it_reads_and_the_cache_it_sees(bool tied)
    {
        var config = DecoderConfig.Llama(layers: 3, width: 32, heads: 4, keyValueHeads: 2, vocabularySize: 500, feedForwardWidth: 64, tieEmbeddings: tied);
        using var model = Decoder.Create(config, 1);
        var measured = DecodeBenchmark.Measure(model, promptTokens: 10, tokens: 5, Ceiling);

        // A layer: query and output 32x32, key and value 32x16, three of 32x64 and two norms; then the last norm and the head.
        var weights = (3 * ((2 * 32 * 32) + (2 * 32 * 16) + (3 * 32 * 64) + (2 * 32))) + 32 + (500 * 32);
        var lookedUp = tied ? 0 : 32;
        var keysAndValues = 3 * 2 * 16 * 13.0; // tokens 11 to 15 see 11 to 15 positions, 13 in the mean
        Assert.Equal(4 * (weights + lookedUp + keysAndValues), measured.BytesPerToken, 6);
        Assert.Equal(4 * (weights + (tied ? 0 : 500 * 32)), measured.Memory.Weights);
        Assert.Equal(4 * 3 * 2 * 16 * 15, measured.Memory.KeyValueCache);
        Assert.Equal(5, measured.Tokens);
        Assert.True(measured.Prefill > TimeSpan.Zero && measured.Decode > TimeSpan.Zero);
        Assert.Equal(5 / measured.Decode.TotalSeconds * measured.BytesPerToken / 10e9, measured.ModelBandwidthUtilization, 9);
    }

    [Fact]
    public void A_run_that_does_not_fit_is_refused()
    {
        using var model = TinyModel.Create();
        var problem = Assert.Throws<ArgumentOutOfRangeException>(() => DecodeBenchmark.Measure(model, 100, 29, Ceiling));
        Assert.Contains("128 positions", problem.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => DecodeBenchmark.Measure(model, 0, 5, Ceiling));
    }
}
