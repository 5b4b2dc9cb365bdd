using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>
/// Families that call their options and parameters as Llama does: root mean square norms, rotary positions, separate linears and a gated feed-forward,
/// each family with its own defaults and additions.
/// </summary>
internal abstract class LlamaLikeFamily(string name, string architecture) : DecoderFamily(name, architecture)
{
    /// <summary>What a file leaves out.</summary>
    protected sealed record Defaults
    {
        public int Vocabulary { get; init; } = 32000;

        public int Width { get; init; } = 4096;

        public int Layers { get; init; } = 32;

        public int Heads { get; init; } = 32;

        /// <summary>Null: as many as heads.</summary>
        public int? KeyValueHeads { get; init; }

        /// <summary>Null: width divided by heads.</summary>
        public int? HeadDimension { get; init; }

        public int FeedForwardWidth { get; init; } = 11008;

        public int MaxPositions { get; init; } = 2048;

        /// <summary>Positions before rotary scaling, whatever the scaling itself says; null: as it says.</summary>
        public int? OriginalPositions { get; init; }

        /// <summary>Whether a share of a head may turn.</summary>
        public bool PartialRotary { get; init; }

        public double Epsilon { get; init; } = 1e-6;

        public bool Tied { get; init; }

        public double Theta { get; init; } = 10000;

        public int? Begin { get; init; } = 1;

        public int? End { get; init; } = 2;

        public string ActivationField { get; init; } = "hidden_act";

        public string Activation { get; init; } = "silu";
    }

    protected DecoderConfig ReadCommon(ConfigReader file, Defaults defaults)
    {
        var heads = file.Int(defaults.Heads, "num_attention_heads");
        var width = file.Int(defaults.Width, "hidden_size");
        // A field that is null means as many as heads; one that is absent means the family's default.
        var keyValueHeads = file.Has("num_key_value_heads") ? file.Int(heads, "num_key_value_heads") : defaults.KeyValueHeads ?? heads;
        var config = new DecoderConfig
        {
            ModelType = Name,
            VocabularySize = file.Int(defaults.Vocabulary, "vocab_size"),
            Width = width,
            Layers = file.Int(defaults.Layers, "num_hidden_layers"),
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadDimension = file.OptionalInt("head_dim") ?? defaults.HeadDimension ?? Split(width, heads),
            FeedForwardWidth = file.Int(defaults.FeedForwardWidth, "intermediate_size"),
            Activation = ReadActivation(file, defaults.ActivationField, defaults.Activation),
            NormEpsilon = file.Number("rms_norm_eps", defaults.Epsilon),
            MaxPositions = file.Int(defaults.MaxPositions, "max_position_embeddings"),
            TieEmbeddings = file.Flag("tie_word_embeddings", defaults.Tied),
        };
        return RotaryFields.Read(ReadIds(config, file, defaults.Begin, defaults.End), file, defaults.Theta, partial: defaults.PartialRotary);
    }

    /// <summary>Which layers see only the window: <c>layer_types</c> where the file has them.</summary>
    /// <exception cref="NotSupportedException">There are layers of another kind.</exception>
    protected static DecoderConfig ReadWindows(DecoderConfig config, ConfigReader file, int? window, Func<int, bool> isWindowed)
    {
        var types = file.OptionalTexts("layer_types");
        if (types?.FirstOrDefault(type => type is not ("full_attention" or "sliding_attention")) is { } other)
        {
            throw new NotSupportedException($"layer_types '{other}' is not supported; known: full_attention, sliding_attention");
        }

        var layers = types?.Select(type => type == "sliding_attention") ?? Enumerable.Range(0, Math.Clamp(config.Layers, 0, 1 << 16)).Select(isWindowed);
        var windowed = new ValueList<bool>(layers);
        if (!windowed.Contains(true) && windowed.Count == config.Layers)
        {
            return config;
        }

        return config with { SlidingWindow = window, WindowedLayers = windowed };
    }

    protected static void WriteWindows(JsonObject json, DecoderConfig config)
    {
        if (config.WindowedLayers is { } layers)
        {
            json["sliding_window"] = config.SlidingWindow;
            json["layer_types"] = new JsonArray([.. layers.Select(windowed => (JsonNode)(windowed ? "sliding_attention" : "full_attention"))]);
        }
    }

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        json["vocab_size"] = config.VocabularySize;
        json["hidden_size"] = config.Width;
        json["num_hidden_layers"] = config.Layers;
        json["num_attention_heads"] = config.Heads;
        json["num_key_value_heads"] = config.KeyValueHeads;
        json["head_dim"] = config.HeadDimension;
        json["intermediate_size"] = config.FeedForwardWidth;
        json[ActivationField] = NameOf(config.Activation);
        json["rms_norm_eps"] = config.NormEpsilon;
        json["max_position_embeddings"] = config.MaxPositions;
        json["tie_word_embeddings"] = config.TieEmbeddings;
        WriteIds(json, config);
        RotaryFields.Write(json, config);
    }

    protected virtual string ActivationField => "hidden_act";
}
