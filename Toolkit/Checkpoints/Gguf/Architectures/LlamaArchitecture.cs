using System.Text.Json.Nodes;

namespace Toolkit.Checkpoints;

/// <summary>
/// Llama and Mistral. llama.cpp turns dimensions 2i and 2i + 1 together where Hugging Face turns i and i + D/2, so the rows of queries and keys lie in
/// another order.
/// </summary>
internal sealed class LlamaArchitecture() : LlamaLikeArchitecture("llama")
{
    public override IReadOnlyList<string> ModelTypes { get; } = ["llama", "mistral"];

    public override JsonObject ReadConfig(GgufFile file)
    {
        var json = base.ReadConfig(file);
        json["attention_bias"] = file.Tensors.ContainsKey("blk.0.attn_q.bias");
        json["mlp_bias"] = file.Tensors.ContainsKey("blk.0.ffn_gate.bias");
        return json;
    }

    public override IEnumerable<KeyValuePair<string, object>> WriteConfig(HuggingFaceConfig config)
    {
        config.Require("sliding_window", config.OptionalInteger("sliding_window") is not { } window || window >= config.Integer("max_position_embeddings"));
        config.Require("pretraining_tp", config.OptionalInteger("pretraining_tp") is null or 1);
        return base.WriteConfig(config);
    }

    public override GgufArrangement Arrangement(string huggingFace, HuggingFaceConfig config) =>
        huggingFace.Contains(".q_proj.", StringComparison.Ordinal) ? GgufArrangement.Interleaved(config.Integer("num_attention_heads"))
        : huggingFace.Contains(".k_proj.", StringComparison.Ordinal) ? GgufArrangement.Interleaved(config.Integer("num_key_value_heads", "num_attention_heads"))
        : GgufArrangement.Same;
}
