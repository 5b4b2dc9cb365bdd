using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>OLMo 2 (OLMo et al., 2025): Llama with norms on what the halves write, and on all queries and all keys.</summary>
internal sealed class Olmo2Family() : LlamaLikeFamily("olmo2", "Olmo2ForCausalLM")
{
    public override DecoderConfig Read(ConfigReader file) => ReadCommon(file, new() { Vocabulary = 50304, Epsilon = 1e-5, Begin = null, End = 50279 }) with
    {
        AttentionBias = file.Flag("attention_bias", false),
        NormPlacement = NormPlacement.After,
        QueryKeyNorm = QueryKeyNorm.Whole,
    };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        base.Fill(json, config);
        json["attention_bias"] = config.AttentionBias;
    }
}
