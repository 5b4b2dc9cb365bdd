using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>Phi-3 and Phi-4 (Abdin et al., 2024): Llama with queries, keys and values in one linear, gate and up in another.</summary>
internal sealed class Phi3Family() : LlamaLikeFamily(ModelType, "Phi3ForCausalLM")
{
    public const string ModelType = "phi3";

    private const int TrainedPositions = 4096;

    public override DecoderConfig Read(ConfigReader file)
    {
        var config = ReadCommon(
            file,
            new() { Vocabulary = 32064, Width = 3072, FeedForwardWidth = 8192, MaxPositions = TrainedPositions, OriginalPositions = TrainedPositions, PartialRotary = true, Epsilon = 1e-5, Begin = 1, End = 32000 });
        if (config.RotaryScaling is { Kind: not RotaryScalingKind.LongRope } other)
        {
            throw new NotSupportedException($"rotary scaling {other.Kind} is not supported in a phi3 model; known: longrope");
        }

        return config with
        {
            SlidingWindow = file.OptionalInt("sliding_window"),
            QueryKeyValueLayout = QueryKeyValueLayout.Concatenated,
            FeedForwardKind = FeedForwardKind.GatedFused,
        };
    }

    public override DecoderNames Names(DecoderConfig config) => new() { Block = new BlockNames { QueryKeyValue = "qkv_proj" } };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        base.Fill(json, config);
        json["sliding_window"] = config.SlidingWindow;
        json["original_max_position_embeddings"] = config.RotaryScaling?.OriginalPositions ?? TrainedPositions;
    }
}
