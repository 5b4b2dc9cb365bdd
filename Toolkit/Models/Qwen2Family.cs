using System.Text.Json.Nodes;

namespace Toolkit.Models;

/// <summary>Qwen 2 and 2.5 (Yang et al., 2024): Llama with biases on queries, keys and values, and a window on the last layers if asked for.</summary>
internal sealed class Qwen2Family() : LlamaLikeFamily("qwen2", "Qwen2ForCausalLM")
{
    public override DecoderConfig Read(ConfigReader file)
    {
        var config = ReadCommon(file, new() { Vocabulary = 151936, KeyValueHeads = 32, FeedForwardWidth = 22016, MaxPositions = 32768, Begin = null, End = null }) with
        {
            AttentionBias = true,
            AttentionOutputBias = false,
        };
        return QwenWindows.Read(config, file, ReadWindows);
    }

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        base.Fill(json, config);
        WriteWindows(json, config);
        json["use_sliding_window"] = config.SlidingWindow is not null;
    }
}
