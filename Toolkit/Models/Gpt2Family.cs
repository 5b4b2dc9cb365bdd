using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>GPT-2 (Radford et al., 2019): learned positions, layer norms, and weights that are stored as (inputs, outputs).</summary>
internal sealed class Gpt2Family() : DecoderFamily("gpt2", "GPT2LMHeadModel")
{
    public override DecoderConfig Read(ConfigReader file)
    {
        file.Require("add_cross_attention", false);
        // Where a file has both, the general name wins, as in transformers.
        var heads = file.Int(12, "num_attention_heads", "n_head");
        var width = file.Int(768, "hidden_size", "n_embd");
        var config = new DecoderConfig
        {
            ModelType = Name,
            VocabularySize = file.Int(50257, "vocab_size"),
            Width = width,
            Layers = file.Int(12, "num_hidden_layers", "n_layer"),
            Heads = heads,
            KeyValueHeads = heads,
            HeadDimension = Split(width, heads),
            FeedForwardWidth = file.OptionalInt("n_inner") ?? WidthTimes(width, 4),
            FeedForwardKind = FeedForwardKind.Plain,
            FeedForwardBias = true,
            Activation = ReadActivation(file, "activation_function", "gelu_new"),
            Positions = PositionScheme.Learned,
            MaxPositions = file.Int(1024, "max_position_embeddings", "n_positions"),
            NormKind = NormKind.LayerNorm,
            NormEpsilon = file.Number("layer_norm_epsilon", 1e-5),
            QueryKeyValueLayout = QueryKeyValueLayout.Concatenated,
            AttentionBias = true,
            AttentionScale = file.Flag("scale_attn_weights", true) ? null : 1,
            ScaleByLayer = file.Flag("scale_attn_by_inverse_layer_idx", false),
            TransposedWeights = true,
            TieEmbeddings = file.Flag("tie_word_embeddings", true),
        };
        return ReadIds(config, file, 50256, 50256);
    }

    public override DecoderNames Names(DecoderConfig config) => new()
    {
        Body = "transformer",
        Embedding = "wte",
        Positions = "wpe",
        Blocks = "h",
        FinalNorm = "ln_f",
        Block = new BlockNames
        {
            AttentionNorm = "ln_1",
            Attention = "attn",
            QueryKeyValue = "c_attn",
            Output = "c_proj",
            FeedForwardNorm = "ln_2",
            Up = "c_fc",
            Down = "c_proj",
        },
    };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        json["vocab_size"] = config.VocabularySize;
        json["n_embd"] = config.Width;
        json["n_layer"] = config.Layers;
        json["n_head"] = config.Heads;
        json["n_inner"] = config.FeedForwardWidth;
        json["n_positions"] = config.MaxPositions;
        json["activation_function"] = config.Activation == Ops.Activation.GeluTanh ? "gelu_new" : NameOf(config.Activation);
        json["layer_norm_epsilon"] = config.NormEpsilon;
        json["scale_attn_weights"] = config.AttentionScale is null;
        json["scale_attn_by_inverse_layer_idx"] = config.ScaleByLayer;
        json["tie_word_embeddings"] = config.TieEmbeddings;
        WriteIds(json, config);
    }
}
