using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>
/// Falcon (Almazrouei et al., 2023): parallel halves and one key-value head (7B), or groups of them with a norm for each half (40B, 180B: the "new
/// decoder architecture"); the smallest ones have linear biases instead of rotary positions.
/// </summary>
internal sealed class FalconFamily() : DecoderFamily("falcon", "FalconForCausalLM")
{
    public override DecoderConfig Read(ConfigReader file)
    {
        var heads = file.Int(71, "num_attention_heads", "n_head");
        var width = file.Int(4544, "n_embed", "hidden_size");
        var grouped = file.Flag("new_decoder_architecture", false);
        var parallel = file.Flag("parallel_attn", true);
        var norms = file.Int(grouped ? 2 : 1, "num_ln_in_parallel_attn");
        if (grouped ? !parallel || norms is not (1 or 2) : parallel && norms == 2)
        {
            throw new NotSupportedException(
                $"new_decoder_architecture {grouped} with parallel_attn {parallel} and num_ln_in_parallel_attn {norms} is not supported: transformers has no such model either");
        }

        var bias = file.Flag("bias", false);
        var config = new DecoderConfig
        {
            ModelType = Name,
            VocabularySize = file.Int(65024, "vocab_size"),
            Width = width,
            Layers = file.Int(32, "num_hidden_layers", "n_layer"),
            Heads = heads,
            KeyValueHeads = grouped ? file.Int(heads, "num_kv_heads", "n_head_kv") : file.Flag("multi_query", true) ? 1 : heads,
            HeadDimension = Split(width, heads),
            FeedForwardWidth = file.OptionalInt("ffn_hidden_size") ?? WidthTimes(width, 4),
            FeedForwardKind = FeedForwardKind.Plain,
            FeedForwardBias = bias,
            Activation = ReadActivation(file, "activation", "gelu"),
            MaxPositions = file.Int(2048, "max_position_embeddings"),
            NormKind = NormKind.LayerNorm,
            NormEpsilon = file.Number("layer_norm_epsilon", 1e-5),
            ParallelBlocks = parallel,
            SharedNorm = parallel && norms != 2,
            QueryKeyValueLayout = QueryKeyValueLayout.Grouped,
            AttentionBias = bias,
            TieEmbeddings = file.Flag("tie_word_embeddings", true),
        };
        config = ReadIds(config, file, 11, 11);
        return file.Flag("alibi", false)
            ? config with { Positions = PositionScheme.LinearBias, ScaledLinearBiases = true }
            : RotaryFields.Read(config, file, partial: false);
    }

    public override DecoderNames Names(DecoderConfig config)
    {
        var two = config is { ParallelBlocks: true, SharedNorm: false };
        return new()
        {
            Body = "transformer",
            Embedding = "word_embeddings",
            Blocks = "h",
            FinalNorm = "ln_f",
            Block = new BlockNames
            {
                AttentionNorm = two ? "ln_attn" : "input_layernorm",
                Attention = "self_attention",
                Output = "dense",
                FeedForwardNorm = two ? "ln_mlp" : "post_attention_layernorm",
                Up = "dense_h_to_4h",
                Down = "dense_4h_to_h",
            },
        };
    }

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        // Without groups and with several key-value heads a file can only say that there are as many as heads.
        var grouped = config is { ParallelBlocks: true, SharedNorm: false } || (config.KeyValueHeads != 1 && config.KeyValueHeads != config.Heads);
        json["vocab_size"] = config.VocabularySize;
        json["hidden_size"] = config.Width;
        json["num_hidden_layers"] = config.Layers;
        json["num_attention_heads"] = config.Heads;
        json["num_kv_heads"] = config.KeyValueHeads;
        json["new_decoder_architecture"] = grouped;
        json["multi_query"] = config.KeyValueHeads == 1;
        json["parallel_attn"] = config.ParallelBlocks;
        json["num_ln_in_parallel_attn"] = grouped ? config.SharedNorm ? 1 : 2 : null;
        json["ffn_hidden_size"] = config.FeedForwardWidth;
        json["activation"] = NameOf(config.Activation);
        json["max_position_embeddings"] = config.MaxPositions;
        json["layer_norm_epsilon"] = config.NormEpsilon;
        json["bias"] = config.AttentionBias;
        json["alibi"] = config.Positions == PositionScheme.LinearBias;
        json["tie_word_embeddings"] = config.TieEmbeddings;
        WriteIds(json, config);
        if (config.Positions == PositionScheme.Rotary)
        {
            RotaryFields.Write(json, config);
        }
    }
}
