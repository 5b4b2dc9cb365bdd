using System.Text.Json.Nodes;
using Toolkit.Models;

namespace Toolkit.Tests.Models;

public sealed class DecoderConfigTests
{
    [Fact]
    public void WrittenAndReadIsTheSame()
    {
        var config = DecoderConfig.Llama(3, 96, 6, 2, 777, headDimension: 24, ropeTheta: 5e5, tieEmbeddings: true) with { EndTokenId = 5, AttentionBias = true };
        Assert.Equal(config, DecoderConfig.FromJson(config.ToJson()));
    }

    [Fact]
    public void HeadsMustDivide() => Assert.Contains(
        "heads 12 is not a multiple of key-value heads 5", Assert.Throws<ArgumentException>(() => DecoderConfig.Llama(1, 96, 12, 5, 10)).Message);

    [Theory]
    [InlineData("""{"model_type":"mamba"}""", "mamba")]
    [InlineData("""{"model_type":"llama","rope_scaling":{"rope_type":"llama3"}}""", "rope_type 'llama3'")]
    [InlineData("""{"model_type":"llama","hidden_act":"gelu"}""", "hidden_act 'gelu'")]
    public void WhatIsNotSupportedIsNamed(string json, string part) => Assert.Contains(
        part, Assert.Throws<NotSupportedException>(() => DecoderConfig.FromJson((JsonObject)JsonNode.Parse(json)!)).Message);

    [Fact]
    public void AbsentOptionsHaveTheFamilysDefaults()
    {
        var config = DecoderConfig.FromJson((JsonObject)JsonNode.Parse("""{"model_type":"llama","hidden_size":64,"num_attention_heads":4,"rope_theta":7}""")!);
        Assert.Equal((16, 4, 7.0, 1e-6, false), (config.HeadDimension, config.KeyValueHeads, config.RopeTheta, config.NormEpsilon, config.TieEmbeddings));
    }
}
