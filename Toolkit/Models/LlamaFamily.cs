using System.Text.Json.Nodes;

namespace Toolkit.Models;

/// <summary>Llama 1 to 3 (Touvron et al., 2023; Grattafiori et al., 2024) and models of the same shape such as SmolLM.</summary>
internal sealed class LlamaFamily() : LlamaLikeFamily(ModelType, "LlamaForCausalLM")
{
    public const string ModelType = "llama";

    // pretraining_tp says in how many slices a product was computed: the same product.
    public override DecoderConfig Read(ConfigReader file) => ReadCommon(file, new()) with
    {
        AttentionBias = file.Flag("attention_bias", false),
        FeedForwardBias = file.Flag("mlp_bias", false),
    };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        base.Fill(json, config);
        json["attention_bias"] = config.AttentionBias;
        json["mlp_bias"] = config.FeedForwardBias;
    }
}
