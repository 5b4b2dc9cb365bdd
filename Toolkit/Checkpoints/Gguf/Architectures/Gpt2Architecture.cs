using System.Text.Json.Nodes;

namespace Toolkit.Checkpoints;

/// <summary>GPT-2, whose weights Hugging Face keeps as (inputs, outputs).</summary>
internal sealed class Gpt2Architecture() : GgufArchitecture("gpt2")
{
    public override IReadOnlyList<string> ModelTypes { get; } = ["gpt2"];

    protected override IReadOnlyDictionary<string, string> Parts { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["token_embd"] = "transformer.wte",
        ["position_embd"] = "transformer.wpe",
        ["output_norm"] = "transformer.ln_f",
        ["output"] = "lm_head",
        ["blk.{}.attn_norm"] = "transformer.h.{}.ln_1",
        ["blk.{}.attn_qkv"] = "transformer.h.{}.attn.c_attn",
        ["blk.{}.attn_output"] = "transformer.h.{}.attn.c_proj",
        ["blk.{}.ffn_norm"] = "transformer.h.{}.ln_2",
        ["blk.{}.ffn_up"] = "transformer.h.{}.mlp.c_fc",
        ["blk.{}.ffn_down"] = "transformer.h.{}.mlp.c_proj",
    };

    public override JsonObject ReadConfig(GgufFile file) => WithIds(file, new JsonObject
    {
        ["model_type"] = ModelTypes[0],
        ["vocab_size"] = VocabularySize(file),
        ["n_positions"] = Required(file, "context_length"),
        ["n_embd"] = Required(file, "embedding_length"),
        ["n_layer"] = Required(file, "block_count"),
        ["n_head"] = Required(file, "attention.head_count"),
        ["n_inner"] = Required(file, "feed_forward_length"),
        ["activation_function"] = "gelu_new",
        ["layer_norm_epsilon"] = RequiredNumber(file, "attention.layer_norm_epsilon"),
        ["tie_word_embeddings"] = !file.Tensors.ContainsKey("output.weight"),
    });

    public override IEnumerable<KeyValuePair<string, object>> WriteConfig(HuggingFaceConfig config)
    {
        // llama.cpp has the approximation by tanh alone.
        config.Require("activation_function", config.Text("activation_function") is null or "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast");
        config.Require("scale_attn_by_inverse_layer_idx", !config.Flag("scale_attn_by_inverse_layer_idx", false));
        config.Require("scale_attn_weights", config.Flag("scale_attn_weights", true));
        return Options(
            ("vocab_size", config.Integer("vocab_size")),
            ("context_length", config.Integer("n_positions", "max_position_embeddings")),
            ("embedding_length", config.Integer("n_embd", "hidden_size")),
            ("block_count", config.Integer("n_layer", "num_hidden_layers")),
            ("feed_forward_length", config.OptionalInteger("n_inner") ?? (4 * config.Integer("n_embd", "hidden_size"))),
            ("attention.head_count", config.Integer("n_head", "num_attention_heads")),
            ("attention.layer_norm_epsilon", (float)(config.OptionalNumber("layer_norm_epsilon") ?? 1e-5)));
    }

    public override GgufArrangement Arrangement(string huggingFace, HuggingFaceConfig config) =>
        huggingFace.StartsWith("transformer.h.", StringComparison.Ordinal) && huggingFace.EndsWith(".weight", StringComparison.Ordinal) && huggingFace.Contains(".c_", StringComparison.Ordinal)
            ? GgufArrangement.Transposed
            : GgufArrangement.Same;

    public override bool IsAlwaysFloat32(string gguf) => gguf == "position_embd.weight";
}
