using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>GPT-NeoX and Pythia (Black et al., 2022; Biderman et al., 2023): some of a head's dimensions are rotary, the halves of a block are parallel.</summary>
internal sealed class GptNeoXFamily() : DecoderFamily("gpt_neox", "GPTNeoXForCausalLM")
{
    public override DecoderConfig Read(ConfigReader file)
    {
        var heads = file.Int(64, "num_attention_heads");
        var width = file.Int(6144, "hidden_size");
        var config = new DecoderConfig
        {
            ModelType = Name,
            VocabularySize = file.Int(50432, "vocab_size"),
            Width = width,
            Layers = file.Int(44, "num_hidden_layers"),
            Heads = heads,
            KeyValueHeads = heads,
            HeadDimension = Split(width, heads),
            FeedForwardWidth = file.Int(24576, "intermediate_size"),
            FeedForwardKind = FeedForwardKind.Plain,
            FeedForwardBias = true,
            Activation = ReadActivation(file, "hidden_act", "gelu"),
            MaxPositions = file.Int(2048, "max_position_embeddings"),
            NormKind = NormKind.LayerNorm,
            NormEpsilon = file.Number("layer_norm_eps", 1e-5),
            ParallelBlocks = file.Flag("use_parallel_residual", true),
            QueryKeyValueLayout = QueryKeyValueLayout.Grouped,
            AttentionBias = file.Flag("attention_bias", true),
            TieEmbeddings = file.Flag("tie_word_embeddings", false),
        };
        return RotaryFields.Read(ReadIds(config, file, 0, 2), file, thetaField: "rotary_emb_base", factor: 0.25, factorField: "rotary_pct");
    }

    public override DecoderNames Names(DecoderConfig config) => new()
    {
        Body = "gpt_neox",
        Embedding = "embed_in",
        FinalNorm = "final_layer_norm",
        Head = "embed_out",
        Block = new BlockNames { Attention = "attention", Output = "dense", Up = "dense_h_to_4h", Down = "dense_4h_to_h" },
    };

    protected override void Fill(JsonObject json, DecoderConfig config)
    {
        json["vocab_size"] = config.VocabularySize;
        json["hidden_size"] = config.Width;
        json["num_hidden_layers"] = config.Layers;
        json["num_attention_heads"] = config.Heads;
        json["intermediate_size"] = config.FeedForwardWidth;
        json["hidden_act"] = NameOf(config.Activation);
        json["max_position_embeddings"] = config.MaxPositions;
        json["layer_norm_eps"] = config.NormEpsilon;
        json["use_parallel_residual"] = config.ParallelBlocks;
        json["attention_bias"] = config.AttentionBias;
        json["tie_word_embeddings"] = config.TieEmbeddings;
        WriteIds(json, config);
        RotaryFields.Write(json, config);
        json["rotary_emb_base"] = config.RopeTheta; // where transformers before 5 looks
        json["rotary_pct"] = config.RotaryFactor;
        ((JsonObject)json["rope_parameters"]!)["partial_rotary_factor"] = config.RotaryFactor;
    }
}
