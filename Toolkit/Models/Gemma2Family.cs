using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>
/// Gemma 2 (Riviere et al., 2024): norms around both halves, scaled embeddings, scores and logits kept below a cap, and a window on every other layer.
/// </summary>
internal sealed class Gemma2Family() : LlamaLikeFamily("gemma2", "Gemma2ForCausalLM")
{
    protected override string ActivationField => "hidden_activation";

    public override DecoderConfig Read(ConfigReader file)
    {
        file.Require("use_bidirectional_attention", false);
        var defaults = new Defaults
        {
            Vocabulary = 256000,
            Width = 2304,
            Layers = 26,
            Heads = 8,
            KeyValueHeads = 4,
            HeadDimension = 256,
            FeedForwardWidth = 9216,
            MaxPositions = 8192,
            Tied = true,
            Begin = 2,
            End = 1,
            ActivationField = ActivationField,
            Activation = "gelu_pytorch_tanh",
        };
        var config = ReadCommon(file, defaults);
        var scalar = file.Number("query_pre_attn_scalar", 256);
        config = config with
        {
            NormKind = NormKind.RootMeanSquareFromOne,
            NormPlacement = NormPlacement.Around,
            EmbeddingScale = Math.Sqrt(config.Width),
            AttentionBias = file.Flag("attention_bias", false),
            AttentionScale = scalar > 0 ? 1 / Math.Sqrt(scalar) : throw new InvalidDataException($"query_pre_attn_scalar {scalar} is not positive"),
            AttentionSoftCap = Cap(file, "attn_logit_softcapping", 50),
            LogitSoftCap = Cap(file, "final_logit_softcapping", 30),
        };
        var window = file.Has("sliding_window") ? file.OptionalInt("sliding_window") : 4096;
        return ReadWindows(config, file, window, layer => layer % 2 == 0);
    }

    public override DecoderNames Names(DecoderConfig config) => new() { Block = new BlockNames { FeedForwardNorm = "pre_feedforward_layernorm" } };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        base.Fill(json, config);
        WriteWindows(json, config);
        if (config.WindowedLayers is null)
        {
            json["layer_types"] = new JsonArray([.. Enumerable.Repeat("full_attention", config.Layers).Select(type => (JsonNode)type)]);
        }

        // 1/√ and back loses the last digit of a whole number.
        json["query_pre_attn_scalar"] = config.AttentionScale is { } scale ? Math.Round(1 / (scale * scale), 9) : config.HeadDimension;
        json["attn_logit_softcapping"] = config.AttentionSoftCap;
        json["final_logit_softcapping"] = config.LogitSoftCap;
        json["attention_bias"] = config.AttentionBias;
    }

    private static double? Cap(ConfigReader file, string field, double fallback) => file.Has(field) ? file.OptionalNumber(field) : fallback;
}
