using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>
/// Rotary positions in a <c>config.json</c>: one object <c>rope_parameters</c> since transformers 5, before that <c>rope_scaling</c> beside
/// <c>rope_theta</c> and <c>partial_rotary_factor</c>; both are read, and written so that both find them.
/// </summary>
internal static class RotaryFields
{
    /// <param name="config">What was read so far.</param>
    /// <param name="file">The file.</param>
    /// <param name="theta">The base where the file has none.</param>
    /// <param name="thetaField">What older files call the base.</param>
    /// <param name="factor">The share of a head that turns where the file does not say.</param>
    /// <param name="factorField">What older files call the share.</param>
    /// <param name="originalPositions">Positions before scaling where the file does not say; null: the model's.</param>
    /// <param name="partial">Whether the family turns a share of a head at all.</param>
    /// <exception cref="NotSupportedException">A way of scaling that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">A field is of another type, or one that the scaling needs is missing.</exception>
    public static DecoderConfig Read(
        DecoderConfig config, ConfigReader file, double theta = 10000, string thetaField = "rope_theta", double factor = 1, string factorField = "partial_rotary_factor",
        int? originalPositions = null, bool partial = true)
    {
        var rope = file.OptionalObject("rope_scaling") is { } old && (old.Has("rope_type") || old.Has("type")) ? old : file.OptionalObject("rope_parameters");
        if (rope?.Has("full_attention") == true || rope?.Has("sliding_attention") == true)
        {
            throw new NotSupportedException("rope_parameters that differ from layer to layer are not supported");
        }

        var original = file.OptionalInt("original_max_position_embeddings") ?? originalPositions ?? rope?.OptionalInt("original_max_position_embeddings") ?? config.MaxPositions;
        config = config with
        {
            RopeTheta = rope?.OptionalNumber("rope_theta") ?? file.OptionalNumber(thetaField) ?? file.Number("rope_theta", theta),
            RotaryFactor = rope?.OptionalNumber("partial_rotary_factor") ?? file.OptionalNumber(factorField) ?? file.Number("partial_rotary_factor", factor),
            RotaryScaling = rope is null ? null : Scaling(rope, config, original),
        };
        if (partial || config.RotaryFactor == 1)
        {
            return config;
        }

        // transformers turns whole heads in these families whatever the file says, and fails where frequencies are scaled.
        return config.RotaryScaling is null
            ? config with { RotaryFactor = 1 }
            : throw new NotSupportedException($"partial_rotary_factor {config.RotaryFactor} with scaled frequencies is not supported in a {config.ModelType} model");
    }

    /// <summary>Adds the fields; those that say the default are left out of the older spelling.</summary>
    public static void Write(JsonObject json, DecoderConfig config)
    {
        var rope = new JsonObject { ["rope_type"] = "default", ["rope_theta"] = config.RopeTheta };
        if (config.RotaryFactor != 1)
        {
            rope["partial_rotary_factor"] = config.RotaryFactor;
            json["partial_rotary_factor"] = config.RotaryFactor;
        }

        json["rope_theta"] = config.RopeTheta;
        if (config.RotaryScaling is { } scaling)
        {
            Fill(rope, scaling);
            json["rope_scaling"] = rope.DeepClone();
        }

        json["rope_parameters"] = rope;
    }

    private static RotaryScaling? Scaling(ConfigReader rope, DecoderConfig config, int originalPositions)
    {
        var type = rope.OptionalText("rope_type") ?? rope.Text("type", "default");
        if (config.ModelType == Phi3Family.ModelType && type is "su" or "yarn")
        {
            // The first Phi-3 files had other names for what became longrope.
            type = "longrope";
        }

        return type switch
        {
            "default" => null,
            "linear" => new() { Kind = RotaryScalingKind.Linear, Factor = Needed(rope, "factor", type), OriginalPositions = config.MaxPositions },
            "dynamic" => new() { Kind = RotaryScalingKind.Dynamic, Factor = Needed(rope, "factor", type), OriginalPositions = config.MaxPositions },
            "yarn" => Yarn(rope, config, originalPositions),
            "llama3" => new()
            {
                Kind = RotaryScalingKind.Llama3,
                Factor = Needed(rope, "factor", type),
                LowFrequencyFactor = Needed(rope, "low_freq_factor", type),
                HighFrequencyFactor = Needed(rope, "high_freq_factor", type),
                OriginalPositions = originalPositions,
            },
            "longrope" => LongRope(rope, config, originalPositions),
            _ => throw new NotSupportedException($"rope_type '{type}' is not supported; known: default, linear, dynamic, yarn, llama3, longrope"),
        };
    }

    private static RotaryScaling Yarn(ConfigReader rope, DecoderConfig config, int originalPositions)
    {
        var factor = rope.OptionalNumber("factor") ?? ((double)config.MaxPositions / originalPositions);
        var (all, some) = (rope.OptionalNumber("mscale_all_dim"), rope.OptionalNumber("mscale"));
        var attention = some is not null and not 0 && all is not null and not 0 ? Sharpening(some.Value) / Sharpening(all.Value) : Sharpening(1);
        return new()
        {
            Kind = RotaryScalingKind.Yarn,
            Factor = factor,
            OriginalPositions = originalPositions,
            AttentionFactor = rope.OptionalNumber("attention_factor") ?? attention,
            BetaFast = rope.OptionalNumber("beta_fast") is { } fast and not 0 ? fast : 32,
            BetaSlow = rope.OptionalNumber("beta_slow") is { } slow and not 0 ? slow : 1,
            Truncate = rope.Flag("truncate", true),
        };

        double Sharpening(double scale) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;
    }

    private static RotaryScaling LongRope(ConfigReader rope, DecoderConfig config, int originalPositions)
    {
        var factor = rope.OptionalNumber("factor") ?? ((double)config.MaxPositions / originalPositions);
        return new()
        {
            Kind = RotaryScalingKind.LongRope,
            Factor = factor,
            OriginalPositions = originalPositions,
            AttentionFactor = rope.OptionalNumber("attention_factor") ?? (factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(originalPositions)))),
            ShortFactors = new(rope.OptionalNumbers("short_factor") ?? []),
            LongFactors = new(rope.OptionalNumbers("long_factor") ?? []),
        };
    }

    private static void Fill(JsonObject rope, RotaryScaling s)
    {
        rope["rope_type"] = s.Kind switch
        {
            RotaryScalingKind.Linear => "linear",
            RotaryScalingKind.Dynamic => "dynamic",
            RotaryScalingKind.Yarn => "yarn",
            RotaryScalingKind.Llama3 => "llama3",
            _ => "longrope",
        };
        rope["factor"] = s.Factor;
        if (s.Kind is not (RotaryScalingKind.Linear or RotaryScalingKind.Dynamic))
        {
            rope["original_max_position_embeddings"] = s.OriginalPositions;
        }

        if (s.Kind == RotaryScalingKind.Llama3)
        {
            (rope["low_freq_factor"], rope["high_freq_factor"]) = (s.LowFrequencyFactor, s.HighFrequencyFactor);
        }

        if (s.Kind == RotaryScalingKind.Yarn)
        {
            (rope["beta_fast"], rope["beta_slow"], rope["truncate"]) = (s.BetaFast, s.BetaSlow, s.Truncate);
        }

        if (s.Kind is RotaryScalingKind.Yarn or RotaryScalingKind.LongRope)
        {
            rope["attention_factor"] = s.AttentionFactor;
        }

        if (s.Kind == RotaryScalingKind.LongRope)
        {
            rope["short_factor"] = new JsonArray([.. s.ShortFactors!.Select(f => (JsonNode)f)]);
            rope["long_factor"] = new JsonArray([.. s.LongFactors!.Select(f => (JsonNode)f)]);
        }
    }

    private static double Needed(ConfigReader rope, string field, string type) =>
        rope.OptionalNumber(field) ?? throw new InvalidDataException($"rope_type '{type}' needs {field}");
}
