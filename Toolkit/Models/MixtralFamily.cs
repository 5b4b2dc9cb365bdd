using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>Mixtral (Jiang et al., 2024): Mistral whose feed-forward is a mixture of experts.</summary>
internal sealed class MixtralFamily() : LlamaLikeFamily("mixtral", "MixtralForCausalLM")
{
    public override DecoderConfig Read(ConfigReader file) =>
        ReadCommon(file, new() { KeyValueHeads = 8, FeedForwardWidth = 14336, MaxPositions = 4096 * 32, Epsilon = 1e-5, Theta = 1e6 }) with
        {
            SlidingWindow = file.OptionalInt("sliding_window"),
            FeedForwardKind = FeedForwardKind.MixtureOfExperts,
            Experts = file.Int(8, "num_experts", "num_local_experts"),
            ExpertsPerToken = file.Int(2, "num_experts_per_tok"),
        };

    public override DecoderNames Names(DecoderConfig config) => new()
    {
        Block = new BlockNames { FeedForward = "block_sparse_moe", Gate = "gate" },
        Expert = new BlockNames { Gate = "w1", Up = "w3", Down = "w2" },
    };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        base.Fill(json, config);
        json["sliding_window"] = config.SlidingWindow;
        json["num_local_experts"] = config.Experts;
        json["num_experts_per_tok"] = config.ExpertsPerToken;
    }
}
