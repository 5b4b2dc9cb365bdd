using System.Text.Json.Nodes;

namespace Toolkit.Models;

/// <summary>Mistral (Jiang et al., 2023): Llama with grouped queries and a sliding window on every layer.</summary>
internal sealed class MistralFamily() : LlamaLikeFamily("mistral", "MistralForCausalLM")
{
    public override DecoderConfig Read(ConfigReader file) =>
        ReadCommon(file, new() { KeyValueHeads = 8, FeedForwardWidth = 14336, MaxPositions = 4096 * 32 }) with
        {
            SlidingWindow = file.Has("sliding_window") ? file.OptionalInt("sliding_window") : 4096,
        };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        base.Fill(json, config);
        json["sliding_window"] = config.SlidingWindow;
    }
}
