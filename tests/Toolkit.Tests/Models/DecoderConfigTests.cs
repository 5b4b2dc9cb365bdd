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
    [InlineData("""{"model_type":"t5"}""", "model_type 't5' is not supported; known: bloom, falcon, gemma2, gpt2")]
    [InlineData("""{"hidden_size":64}""", "there is no model_type; known:")]
    [InlineData("""{"model_type":"llama","rope_scaling":{"rope_type":"mrope"}}""", "rope_type 'mrope' is not supported; known: default, linear, dynamic")]
    [InlineData("""{"model_type":"llama","rope_parameters":{"full_attention":{},"sliding_attention":{}}}""", "differ from layer to layer")]
    [InlineData("""{"model_type":"phi3","rope_scaling":{"type":"linear","factor":2}}""", "rotary scaling Linear is not supported in a phi3 model")]
    [InlineData("""{"model_type":"llama","hidden_act":"mish"}""", "hidden_act 'mish'")]
    [InlineData("""{"model_type":"gpt2","add_cross_attention":true}""", "add_cross_attention true")]
    [InlineData("""{"model_type":"gemma2","use_bidirectional_attention":true}""", "use_bidirectional_attention true")]
    [InlineData("""{"model_type":"bloom","apply_residual_connection_post_layernorm":true}""", "apply_residual_connection_post_layernorm true")]
    [InlineData("""{"model_type":"opt","layer_norm_elementwise_affine":false}""", "layer_norm_elementwise_affine false")]
    [InlineData("""{"model_type":"falcon","new_decoder_architecture":true,"parallel_attn":false}""", "parallel_attn False")]
    [InlineData("""{"model_type":"qwen2","layer_types":["chunked_attention"]}""", "layer_types 'chunked_attention'")]
    public void WhatIsNotSupportedIsNamed(string json, string part) => Assert.Contains(
        part, Assert.Throws<NotSupportedException>(() => DecoderConfig.FromJson((JsonObject)JsonNode.Parse(json)!)).Message);

    [Fact]
    public void AbsentOptionsHaveTheFamilysDefaults()
    {
        var config = DecoderConfig.FromJson((JsonObject)JsonNode.Parse("""{"model_type":"llama","hidden_size":64,"num_attention_heads":4,"rope_theta":7}""")!);
        Assert.Equal((16, 4, 7.0, 1e-6, false), (config.HeadDimension, config.KeyValueHeads, config.RopeTheta, config.NormEpsilon, config.TieEmbeddings));
    }
}
