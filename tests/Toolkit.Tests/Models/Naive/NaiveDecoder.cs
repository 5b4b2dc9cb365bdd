using System.Text.Json.Nodes;

namespace Toolkit.Tests.Models.Naive;

/// <summary>A model of any family in plain loops.</summary>
internal static class NaiveDecoder
{
    /// <summary>The logits of every position.</summary>
    public static double[][] Logits(JsonNode config, NaiveWeights weights, int[] ids) => (string)config["model_type"]! switch
    {
        "opt" => new NaiveOpt(config, weights).Logits(ids),
        "falcon" or "bloom" => new NaiveFalcon(config, weights).Logits(ids),
        "gpt2" or "gpt_neox" => new NaiveGpt(config, weights).Logits(ids),
        _ => new NaiveLlamaLike(config, weights).Logits(ids),
    };
}
