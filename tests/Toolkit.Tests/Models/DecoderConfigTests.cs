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
    [InlineData("""{"model_type":"llama","partial_rotary_factor":0.5,"rope_scaling":{"type":"linear","factor":2.0}}""", "partial_rotary_factor 0.5 with scaled frequencies")]
    [InlineData("""{"model_type":"opt","layer_norm_elementwise_affine":false}""", "layer_norm_elementwise_affine false")]
    [InlineData("""{"model_type":"falcon","new_decoder_architecture":true,"parallel_attn":false}""", "parallel_attn False")]
    [InlineData("""{"model_type":"qwen2","layer_types":["chunked_attention"]}""", "layer_types 'chunked_attention'")]
    public void WhatIsNotSupportedIsNamed(string json, string part) => Assert.Contains(
        part, Assert.Throws<NotSupportedException>(() => DecoderConfig.FromJson((JsonObject)JsonNode.Parse(json)!)).Message);

    [Theory]
    [InlineData("[128001, 128008, 128009]", "128001,128008,128009")]
    [InlineData("7", "7")]
    [InlineData("null", "")]
    [InlineData("[]", "")]
    public void SeveralIdsMayEndAText(string ids, string expected)
    {
        var config = DecoderConfig.FromJson((JsonObject)JsonNode.Parse($$"""{"model_type":"llama","eos_token_id":{{ids}}}""")!);
        Assert.Equal(expected, string.Join(',', config.EndTokenIds));
        Assert.Equal(config, DecoderConfig.FromJson(config.ToJson()));
    }

    [Theory]
    [InlineData("llama", 32000, 4096, 32, 32, 32, 128, 11008, 2048, false)]
    [InlineData("mistral", 32000, 4096, 32, 32, 8, 128, 14336, 131072, false)]
    [InlineData("mixtral", 32000, 4096, 32, 32, 8, 128, 14336, 131072, false)]
    [InlineData("qwen2", 151936, 4096, 32, 32, 32, 128, 22016, 32768, false)]
    [InlineData("qwen3", 151936, 4096, 32, 32, 32, 128, 22016, 32768, false)]
    [InlineData("smollm3", 128256, 2048, 36, 16, 4, 128, 11008, 32768, true)]
    [InlineData("phi3", 32064, 3072, 32, 32, 32, 96, 8192, 4096, false)]
    [InlineData("gemma2", 256000, 2304, 26, 8, 4, 256, 9216, 8192, true)]
    [InlineData("olmo2", 50304, 4096, 32, 32, 32, 128, 11008, 2048, false)]
    [InlineData("gpt2", 50257, 768, 12, 12, 12, 64, 3072, 1024, true)]
    [InlineData("gpt_neox", 50432, 6144, 44, 64, 64, 96, 24576, 2048, false)]
    [InlineData("opt", 50272, 768, 12, 12, 12, 64, 3072, 2048, true)]
    [InlineData("bloom", 250880, 64, 2, 8, 8, 8, 256, 2048, true)]
    [InlineData("falcon", 65024, 4544, 32, 71, 1, 64, 18176, 2048, true)]
    public void AFileThatSaysNothingHasTheDefaultsOfTransformers(
        string family, int vocabulary, int width, int layers, int heads, int keyValueHeads, int headDimension, int feedForward, int positions, bool tied)
    {
        var c = DecoderConfig.FromJson(new JsonObject { ["model_type"] = family });
        Assert.Equal(
            (vocabulary, width, layers, heads, keyValueHeads, headDimension, feedForward, positions, tied),
            (c.VocabularySize, c.Width, c.Layers, c.Heads, c.KeyValueHeads, c.HeadDimension, c.FeedForwardWidth, c.MaxPositions, c.TieEmbeddings));
        Assert.Equal(c, DecoderConfig.FromJson(c.ToJson()));
    }

    [Fact]
    public void EveryFamilyIsTested() => Assert.Equal(
        DecoderConfig.KnownFamilies,
        typeof(DecoderConfigTests).GetMethod(nameof(AFileThatSaysNothingHasTheDefaultsOfTransformers))!.GetCustomAttributes(typeof(InlineDataAttribute), false)
            .Select(row => (string)((InlineDataAttribute)row).Data[0]!).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("""{"rope_theta":7}""", """{"rope_parameters":{"rope_type":"default","rope_theta":7}}""")]
    [InlineData("""{"rope_theta":7,"rope_scaling":{"type":"linear","factor":2}}""", """{"rope_parameters":{"rope_type":"linear","rope_theta":7,"factor":2}}""")]
    [InlineData("""{"rope_theta":7,"rope_scaling":null}""", """{"rope_parameters":{"rope_theta":7}}""")]
    [InlineData("""{"head_dim":null,"num_key_value_heads":null}""", """{"head_dim":128,"num_key_value_heads":32}""")]
    public void OldAndNewSpellingsAreTheSame(string old, string recent) => Assert.Equal(Of(old), Of(recent));

    [Theory]
    [InlineData("""{"hidden_size":"64"}""", "hidden_size is \"64\", expected a whole number")]
    [InlineData("""{"hidden_size":64.5}""", "hidden_size is 64.5, expected a whole number")]
    [InlineData("""{"num_attention_heads":0}""", "is not a multiple of heads 0")]
    [InlineData("""{"tie_word_embeddings":"yes"}""", "tie_word_embeddings is \"yes\", expected true or false")]
    [InlineData("""{"rope_scaling":{"type":"yarn","factor":-4}}""", "factor -4 is not a positive number")]
    [InlineData("""{"rope_scaling":{"type":"linear"}}""", "rope_type 'linear' needs factor")]
    [InlineData("""{"rope_scaling":5}""", "rope_scaling is 5, expected an object")]
    public void WhatIsWrongIsNamed(string json, string part) => Assert.Contains(part, Assert.Throws<InvalidDataException>(() => Of(json)).Message);

    [Fact]
    public void AnOptionThatAFamilysFilesCannotSayIsNotLostInSilence() => Assert.Contains(
        "a llama file cannot hold this configuration",
        Assert.Throws<NotSupportedException>(() => (DecoderConfig.Llama(1, 16, 2, 1, 20) with { LogitSoftCap = 3 }).ToJson()).Message);

    [Fact]
    public void QuantizedWeightsAreRefused() => Assert.Contains(
        "quantization_config (gptq)",
        Assert.Throws<NotSupportedException>(() => Of("""{"quantization_config":{"quant_method":"gptq","bits":4}}""")).Message);

    [Fact]
    public void AbsentOptionsHaveTheFamilysDefaults()
    {
        var config = DecoderConfig.FromJson((JsonObject)JsonNode.Parse("""{"model_type":"llama","hidden_size":64,"num_attention_heads":4,"rope_theta":7}""")!);
        Assert.Equal((16, 4, 7.0, 1e-6, false), (config.HeadDimension, config.KeyValueHeads, config.RopeTheta, config.NormEpsilon, config.TieEmbeddings));
    }

    private static DecoderConfig Of(string json)
    {
        var file = (JsonObject)JsonNode.Parse(json)!;
        file["model_type"] = "llama";
        return DecoderConfig.FromJson(file);
    }
}
