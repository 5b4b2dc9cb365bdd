using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>OPT (Zhang et al., 2022): learned positions whose table begins two rows early; one size norms after the sum and has narrower embeddings.</summary>
internal sealed class OptFamily() : DecoderFamily("opt", "OPTForCausalLM")
{
    public override DecoderConfig Read(ConfigReader file)
    {
        file.Require("layer_norm_elementwise_affine", true);
        var heads = file.Int(12, "num_attention_heads");
        var width = file.Int(768, "hidden_size", "d_model");
        var before = file.Flag("do_layer_norm_before", true);
        var embedding = file.Int(width, "word_embed_proj_dim");
        var bias = file.Flag("enable_bias", true);
        var config = new DecoderConfig
        {
            ModelType = Name,
            VocabularySize = file.Int(50272, "vocab_size"),
            Width = width,
            EmbeddingWidth = embedding == width ? null : embedding,
            Layers = file.Int(12, "num_hidden_layers"),
            Heads = heads,
            KeyValueHeads = heads,
            HeadDimension = Split(width, heads),
            FeedForwardWidth = file.Int(3072, "ffn_dim"),
            FeedForwardKind = FeedForwardKind.Plain,
            FeedForwardBias = bias,
            Activation = ReadActivation(file, "activation_function", "relu"),
            Positions = PositionScheme.Learned,
            PositionOffset = 2,
            MaxPositions = file.Int(2048, "max_position_embeddings"),
            NormKind = NormKind.LayerNorm,
            NormEpsilon = 1e-5,
            NormPlacement = before ? NormPlacement.Before : NormPlacement.AfterSum,
            HasFinalNorm = before && !file.Flag("_remove_final_layer_norm", false),
            AttentionBias = bias,
            TieEmbeddings = file.Flag("tie_word_embeddings", true),
        };
        return ReadIds(config, file, 2, 2);
    }

    public override DecoderNames Names(DecoderConfig config) => new()
    {
        Inner = "decoder",
        FinalNorm = "final_layer_norm",
        Block = new BlockNames
        {
            AttentionNorm = "self_attn_layer_norm",
            Output = "out_proj",
            FeedForwardNorm = "final_layer_norm",
            FeedForward = null,
            Up = "fc1",
            Down = "fc2",
        },
    };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        json["vocab_size"] = config.VocabularySize;
        json["hidden_size"] = config.Width;
        json["word_embed_proj_dim"] = config.EmbeddingWidth ?? config.Width;
        json["num_hidden_layers"] = config.Layers;
        json["num_attention_heads"] = config.Heads;
        json["ffn_dim"] = config.FeedForwardWidth;
        json["activation_function"] = NameOf(config.Activation);
        json["max_position_embeddings"] = config.MaxPositions;
        json["do_layer_norm_before"] = config.NormPlacement == NormPlacement.Before;
        json["_remove_final_layer_norm"] = config.NormPlacement == NormPlacement.Before && !config.HasFinalNorm;
        json["enable_bias"] = config.AttentionBias;
        json["tie_word_embeddings"] = config.TieEmbeddings;
        WriteIds(json, config);
    }
}
