using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>SmolLM 3 (Hugging Face, 2025): Llama without positions on every fourth layer (Yang et al., 2025, "RoPE to NoPE and back").</summary>
internal sealed class SmolLm3Family() : LlamaLikeFamily("smollm3", "SmolLM3ForCausalLM")
{
    public override DecoderConfig Read(ConfigReader file)
    {
        var defaults = new Defaults
        {
            Vocabulary = 128256,
            Width = 2048,
            Layers = 36,
            Heads = 16,
            KeyValueHeads = 4,
            MaxPositions = 32768,
            Tied = true,
            Theta = 2e6,
            Begin = 128000,
            End = 128001,
        };
        var config = ReadCommon(file, defaults) with { AttentionBias = file.Flag("attention_bias", false), FeedForwardBias = file.Flag("mlp_bias", false) };
        var interval = file.Int(4, "no_rope_layer_interval");
        if (interval <= 0)
        {
            throw new InvalidDataException($"no_rope_layer_interval {interval} is not positive");
        }

        var layers = Math.Clamp(config.Layers, 0, 1 << 16);
        var listed = file.OptionalNumbers("no_rope_layers"); // despite its name 1 where a layer has rotary positions
        if (listed?.Count < layers)
        {
            throw new InvalidDataException($"no_rope_layers has {listed.Count} entries, there are {layers} layers");
        }

        var rotary = new ValueList<bool>(listed?.Take(layers).Select(flag => flag != 0) ?? Enumerable.Range(0, layers).Select(layer => (layer + 1) % interval != 0));
        var window = file.Flag("use_sliding_window", false) ? file.OptionalInt("sliding_window") : null;
        return ReadWindows(config with { RotaryLayers = rotary }, file, window, layer => window is not null && !rotary[layer]);
    }

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        base.Fill(json, config);
        WriteWindows(json, config);
        json["use_sliding_window"] = config.SlidingWindow is not null;
        json["no_rope_layers"] = new JsonArray([.. Enumerable.Range(0, config.Layers).Select(layer => (JsonNode)(config.RotaryLayers?[layer] == false ? 0 : 1))]);
        json["attention_bias"] = config.AttentionBias;
        json["mlp_bias"] = config.FeedForwardBias;
    }
}
