using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>Qwen 3 (Yang et al., 2025): Llama whose queries and keys are normalised, head by head.</summary>
internal sealed class Qwen3Family() : LlamaLikeFamily("qwen3", "Qwen3ForCausalLM")
{
    public override DecoderConfig Read(ConfigReader file)
    {
        var defaults = new Defaults
        {
            Vocabulary = 151936,
            KeyValueHeads = 32,
            HeadDimension = 128,
            FeedForwardWidth = 22016,
            MaxPositions = 32768,
            Begin = null,
            End = null,
        };
        var config = ReadCommon(file, defaults) with { AttentionBias = file.Flag("attention_bias", false), QueryKeyNorm = QueryKeyNorm.Head };
        return QwenWindows.Read(config, file, ReadWindows);
    }

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        base.Fill(json, config);
        WriteWindows(json, config);
        json["use_sliding_window"] = config.SlidingWindow is not null;
        json["attention_bias"] = config.AttentionBias;
    }
}
