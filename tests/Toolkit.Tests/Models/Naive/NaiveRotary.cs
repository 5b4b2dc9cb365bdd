using System.Text.Json.Nodes;

namespace Toolkit.Tests.Models.Naive;

/// <summary>Rotary frequencies by the formulas of the papers, read straight from the file's fields.</summary>
internal static class NaiveRotary
{
    public static (double[] Frequencies, double Factor) Of(JsonNode config, int headDimension, int length)
    {
        var rope = config["rope_parameters"] ?? config["rope_scaling"];
        var theta = (double?)rope?["rope_theta"] ?? (double?)config["rope_theta"] ?? 10000;
        var part = (double?)rope?["partial_rotary_factor"] ?? (double?)config["partial_rotary_factor"] ?? 1;
        var dimension = (int)(headDimension * part);
        var positions = (int?)config["max_position_embeddings"] ?? 0;
        var original = (int?)config["original_max_position_embeddings"] ?? (int?)rope?["original_max_position_embeddings"] ?? positions;
        var plain = Enumerable.Range(0, dimension / 2).Select(i => Math.Pow(theta, -2.0 * i / dimension)).ToArray();
        var factor = (double?)rope?["factor"] ?? ((double)positions / original);
        switch ((string?)rope?["rope_type"] ?? (string?)rope?["type"])
        {
            case "linear":
                return ([.. plain.Select(f => f / factor)], 1);
            case "dynamic" when length > positions:
                var grown = theta * Math.Pow((factor * length / positions) - (factor - 1), dimension / (dimension - 2.0));
                return ([.. Enumerable.Range(0, dimension / 2).Select(i => Math.Pow(grown, -2.0 * i / dimension))], 1);
            case "yarn":
                double Pair(double turns) => dimension * Math.Log(original / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
                var (low, high) = (Math.Max(Math.Floor(Pair(32)), 0), Math.Min(Math.Ceiling(Pair(1)), dimension - 1));
                var blended = plain.Select((f, i) =>
                {
                    var ramp = Math.Clamp((i - low) / (high - low), 0, 1);
                    return (f / factor * ramp) + (f * (1 - ramp));
                });
                return ([.. blended], (0.1 * Math.Log(factor)) + 1);
            case "llama3":
                var (slow, fast) = ((double)rope!["low_freq_factor"]!, (double)rope["high_freq_factor"]!);
                return ([.. plain.Select(f =>
                {
                    var turns = original * f / (2 * Math.PI); // over the original positions
                    var smooth = (turns - slow) / (fast - slow);
                    return turns > fast ? f : turns < slow ? f / factor : ((1 - smooth) * f / factor) + (smooth * f);
                })], 1);
            case "longrope" or "su":
                var factors = (JsonArray)rope![length > original ? "long_factor" : "short_factor"]!;
                return ([.. plain.Select((f, i) => f / (double)factors[i]!)], Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original))));
            default:
                return (plain, 1);
        }
    }
}
