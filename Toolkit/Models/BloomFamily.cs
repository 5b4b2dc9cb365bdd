using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>BLOOM (Scao et al., 2022): linear biases instead of positions, and a norm on the embedding.</summary>
internal sealed class BloomFamily() : DecoderFamily("bloom", "BloomForCausalLM")
{
    // Files name no limit: linear biases have none. This is what the models were trained on.
    private const int TrainedPositions = 2048;

    public override DecoderConfig Read(ConfigReader file)
    {
        var heads = file.Int(8, "num_attention_heads", "n_head");
        var width = file.Int(64, "n_embed", "hidden_size");
        var config = new DecoderConfig
        {
            ModelType = Name,
            VocabularySize = file.Int(250880, "vocab_size"),
            Width = width,
            Layers = file.Int(2, "num_hidden_layers", "n_layer"),
            Heads = heads,
            KeyValueHeads = heads,
            HeadDimension = Split(width, heads),
            FeedForwardWidth = WidthTimes(width, 4),
            FeedForwardKind = FeedForwardKind.Plain,
            FeedForwardBias = true,
            Activation = Ops.Activation.GeluTanh,
            Positions = PositionScheme.LinearBias,
            MaxPositions = file.Int(TrainedPositions, "seq_length"),
            NormKind = NormKind.LayerNorm,
            NormEpsilon = file.Number("layer_norm_epsilon", 1e-5),
            HasEmbeddingNorm = true,
            NormPlacement = file.Flag("apply_residual_connection_post_layernorm", false) ? NormPlacement.OnStream : NormPlacement.Before,
            QueryKeyValueLayout = QueryKeyValueLayout.Grouped,
            AttentionBias = true,
            TieEmbeddings = file.Flag("tie_word_embeddings", true),
        };
        return ReadIds(config, file, 1, 2);
    }

    public override DecoderNames Names(DecoderConfig config) => new()
    {
        Body = "transformer",
        Embedding = "word_embeddings",
        Blocks = "h",
        FinalNorm = "ln_f",
        Block = new BlockNames { Attention = "self_attention", Output = "dense", Up = "dense_h_to_4h", Down = "dense_4h_to_h" },
    };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        json["vocab_size"] = config.VocabularySize;
        json["hidden_size"] = config.Width;
        json["n_layer"] = config.Layers;
        json["n_head"] = config.Heads;
        json["seq_length"] = config.MaxPositions;
        json["layer_norm_epsilon"] = config.NormEpsilon;
        json["apply_residual_connection_post_layernorm"] = config.NormPlacement == NormPlacement.OnStream;
        json["tie_word_embeddings"] = config.TieEmbeddings;
        WriteIds(json, config);
    }
}
