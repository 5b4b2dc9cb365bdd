using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>What Llama and the architectures after it have in common.</summary>
internal abstract class LlamaLikeArchitecture(string name) : GgufArchitecture(name)
{
    protected override IReadOnlyDictionary<string, string> Parts { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["token_embd"] = "model.embed_tokens",
        ["output_norm"] = "model.norm",
        ["output"] = "lm_head",
        ["blk.{}.attn_norm"] = "model.layers.{}.input_layernorm",
        ["blk.{}.attn_q"] = "model.layers.{}.self_attn.q_proj",
        ["blk.{}.attn_k"] = "model.layers.{}.self_attn.k_proj",
        ["blk.{}.attn_v"] = "model.layers.{}.self_attn.v_proj",
        ["blk.{}.attn_output"] = "model.layers.{}.self_attn.o_proj",
        ["blk.{}.ffn_norm"] = "model.layers.{}.post_attention_layernorm",
        ["blk.{}.ffn_gate"] = "model.layers.{}.mlp.gate_proj",
        ["blk.{}.ffn_up"] = "model.layers.{}.mlp.up_proj",
        ["blk.{}.ffn_down"] = "model.layers.{}.mlp.down_proj",
    };

    public override JsonObject ReadConfig(GgufFile file)
    {
        if ((file.Metadata.Integer(Key("expert_count")) ?? 0) != 0)
        {
            throw new NotSupportedException($"{file.Path}: a mixture of experts ({Key("expert_count")}) is not supported in GGUF");
        }

        var (heads, width) = (Required(file, "attention.head_count"), Required(file, "embedding_length"));
        var dimension = file.Metadata.Integer(Key("attention.key_length")) ?? file.Metadata.Integer(Key("rope.dimension_count")) ?? width / Math.Max(1, heads);
        RequireDimension(file, "attention.value_length", dimension);
        RequireDimension(file, "rope.dimension_count", dimension);
        return WithIds(file, new JsonObject
        {
            ["model_type"] = ModelTypes[0],
            ["vocab_size"] = VocabularySize(file),
            ["hidden_size"] = width,
            ["num_hidden_layers"] = Required(file, "block_count"),
            ["num_attention_heads"] = heads,
            ["num_key_value_heads"] = file.Metadata.Integer(Key("attention.head_count_kv")) ?? heads,
            ["head_dim"] = dimension,
            ["intermediate_size"] = Required(file, "feed_forward_length"),
            ["hidden_act"] = "silu",
            ["rms_norm_eps"] = RequiredNumber(file, "attention.layer_norm_rms_epsilon"),
            ["max_position_embeddings"] = Required(file, "context_length"),
            ["rope_parameters"] = RotaryOptions.Read(file, Name, Number(file, "rope.freq_base") ?? 10000, dimension),
            ["tie_word_embeddings"] = !file.Tensors.ContainsKey("output.weight"),
        });
    }

    public override IEnumerable<KeyValuePair<string, object>> WriteConfig(HuggingFaceConfig config)
    {
        var dimension = Dimension(config);
        config.Require("hidden_act", config.Text("hidden_act") is null or "silu" or "swish");
        return
        [
            .. Options(
                ("vocab_size", config.Integer("vocab_size")),
                ("context_length", config.Integer("max_position_embeddings")),
                ("embedding_length", config.Integer("hidden_size")),
                ("block_count", config.Integer("num_hidden_layers")),
                ("feed_forward_length", config.Integer("intermediate_size")),
                ("attention.head_count", config.Integer("num_attention_heads")),
                ("attention.head_count_kv", config.Integer("num_key_value_heads", "num_attention_heads")),
                ("attention.key_length", dimension),
                ("attention.value_length", dimension),
                ("attention.layer_norm_rms_epsilon", (float)(config.OptionalNumber("rms_norm_eps") ?? 1e-6)),
                ("rope.dimension_count", dimension)),
            .. RotaryOptions.Write(config, Name),
        ];
    }

    public override bool IsImplied(string gguf) => gguf == RotaryOptions.FrequencyTensor;

    public override IEnumerable<KeyValuePair<string, Tensor>> Implied(HuggingFaceConfig config) => RotaryOptions.Frequencies(config, Dimension(config));

    private static uint Dimension(HuggingFaceConfig config) =>
        config.OptionalInteger("head_dim") ?? (config.Integer("hidden_size") / Math.Max(1, config.Integer("num_attention_heads")));

    private void RequireDimension(GgufFile file, string option, long dimension)
    {
        if (file.Metadata.Integer(Key(option)) is { } other && other != dimension)
        {
            throw new NotSupportedException($"{file.Path}: the metadata \"{Key(option)}\" is {other} where heads have {dimension} dimensions, which is not supported");
        }
    }
}
