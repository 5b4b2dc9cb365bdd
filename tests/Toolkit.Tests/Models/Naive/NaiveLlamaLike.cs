using System.Text.Json.Nodes;

namespace Toolkit.Tests.Models.Naive;

/// <summary>Llama, Mistral, Mixtral, Qwen 2 and 3, SmolLM 3, Phi-3, Gemma 2 and OLMo 2 as their papers and transformers' sources describe them.</summary>
internal sealed class NaiveLlamaLike(JsonNode config, NaiveWeights weights)
{
    private readonly string _family = (string)config["model_type"]!;
    private readonly int _heads = (int)config["num_attention_heads"]!;
    private readonly int _keyValueHeads = (int?)config["num_key_value_heads"] ?? (int)config["num_attention_heads"]!;
    private readonly int _width = (int?)config["head_dim"] ?? ((int)config["hidden_size"]! / (int)config["num_attention_heads"]!);
    private readonly double _epsilon = (double?)config["rms_norm_eps"] ?? (config["model_type"]!.ToString() is "phi3" or "olmo2" or "mixtral" ? 1e-5 : 1e-6);

    public double[][] Logits(int[] ids)
    {
        var table = weights.Matrix("model.embed_tokens.weight");
        var x = ids.Select(id => table[id]).ToArray();
        if (_family == "gemma2")
        {
            x = Plain.Map(x, v => v * Math.Sqrt((int)config["hidden_size"]!));
        }

        for (var layer = 0; layer < (int)config["num_hidden_layers"]!; layer++)
        {
            x = Layer(x, layer);
        }

        x = Norm(x, "model.norm");
        var tied = (bool?)config["tie_word_embeddings"] ?? _family is "gemma2" or "smollm3";
        var logits = Plain.Linear(x, tied ? table : weights.Matrix("lm_head.weight"), null);
        return _family == "gemma2" && (double?)config["final_logit_softcapping"] is { } cap ? Plain.Map(logits, v => cap * Math.Tanh(v / cap)) : logits;
    }

    private double[][] Layer(double[][] x, int layer)
    {
        var name = $"model.layers.{layer}.";
        switch (_family)
        {
            case "olmo2":
                x = Plain.Add(x, Norm(Attention(x, name, layer), name + "post_attention_layernorm"));
                return Plain.Add(x, Norm(FeedForward(x, name), name + "post_feedforward_layernorm"));
            case "gemma2":
                x = Plain.Add(x, Norm(Attention(Norm(x, name + "input_layernorm"), name, layer), name + "post_attention_layernorm"));
                return Plain.Add(x, Norm(FeedForward(Norm(x, name + "pre_feedforward_layernorm"), name), name + "post_feedforward_layernorm"));
            default:
                x = Plain.Add(x, Attention(Norm(x, name + "input_layernorm"), name, layer));
                return Plain.Add(x, FeedForward(Norm(x, name + "post_attention_layernorm"), name));
        }
    }

    private double[][] Attention(double[][] x, string name, int layer)
    {
        double[][] q, k, v;
        var (queries, keys) = (_heads * _width, _keyValueHeads * _width);
        if (_family == "phi3")
        {
            var all = weights.Linear(x, name + "self_attn.qkv_proj");
            (q, k, v) = (Plain.Columns(all, 0, queries), Plain.Columns(all, queries, keys), Plain.Columns(all, queries + keys, keys));
        }
        else
        {
            (q, k, v) = (weights.Linear(x, name + "self_attn.q_proj"), weights.Linear(x, name + "self_attn.k_proj"), weights.Linear(x, name + "self_attn.v_proj"));
        }

        if (_family == "olmo2")
        {
            (q, k) = (Norm(q, name + "self_attn.q_norm"), Norm(k, name + "self_attn.k_norm"));
        }

        var (qh, kh) = (Plain.Heads(q, _width), Plain.Heads(k, _width));
        if (_family == "qwen3")
        {
            qh = [.. qh.Select(heads => Norm(heads, name + "self_attn.q_norm"))];
            kh = [.. kh.Select(heads => Norm(heads, name + "self_attn.k_norm"))];
        }

        var (frequencies, factor) = NaiveRotary.Of(config, _width, x.Length);
        if (_family != "smollm3" || (layer + 1) % 4 != 0)
        {
            (qh, kh) = (Plain.Rotate(qh, frequencies, factor), Plain.Rotate(kh, frequencies, factor));
        }

        int? window = _family switch
        {
            "phi3" or "mistral" or "mixtral" => (int?)config["sliding_window"],
            "gemma2" => layer % 2 == 0 ? (int)config["sliding_window"]! : null,
            "qwen2" => (bool)config["use_sliding_window"]! && layer >= (int)config["max_window_layers"]! ? (int)config["sliding_window"]! : null,
            _ => null,
        };
        var scale = 1 / Math.Sqrt((double?)config["query_pre_attn_scalar"] ?? _width);
        var cap = _family == "gemma2" ? (double?)config["attn_logit_softcapping"] : null;
        var attended = Plain.Attend(qh, kh, Plain.Heads(v, _width), scale, window, cap is null ? null : (_, _, score) => cap.Value * Math.Tanh(score / cap.Value));
        return weights.Linear(attended, name + "self_attn.o_proj");
    }

    private double[][] FeedForward(double[][] x, string name)
    {
        if (_family == "mixtral")
        {
            return [.. x.Select(token => Mixture(token, name + "block_sparse_moe."))];
        }

        double[][] gate, up;
        if (_family == "phi3")
        {
            var both = weights.Linear(x, name + "mlp.gate_up_proj");
            var inner = both[0].Length / 2;
            (gate, up) = (Plain.Columns(both, 0, inner), Plain.Columns(both, inner, inner));
        }
        else
        {
            (gate, up) = (weights.Linear(x, name + "mlp.gate_proj"), weights.Linear(x, name + "mlp.up_proj"));
        }

        return weights.Linear(Plain.Multiply(Plain.Map(gate, _family == "gemma2" ? Plain.GeluTanh : Plain.Silu), up), name + "mlp.down_proj");
    }

    /// <summary>The experts with the highest scores, weighted by the softmax over these alone.</summary>
    private double[] Mixture(double[] token, string name)
    {
        var scores = weights.Linear([token], name + "gate")[0];
        var chosen = Enumerable.Range(0, scores.Length).OrderByDescending(expert => scores[expert]).Take((int)config["num_experts_per_tok"]!).ToArray();
        var total = chosen.Sum(expert => Math.Exp(scores[expert]));
        var result = new double[token.Length];
        foreach (var expert in chosen)
        {
            var file = $"{name}experts.{expert}.";
            var inner = Plain.Multiply(Plain.Map(weights.Linear([token], file + "w1"), Plain.Silu), weights.Linear([token], file + "w3"));
            var output = weights.Linear(inner, file + "w2")[0];
            result = [.. result.Zip(output, (sum, value) => sum + (Math.Exp(scores[expert]) / total * value))];
        }

        return result;
    }

    private double[][] Norm(double[][] x, string name) => weights.RmsNorm(x, name, _epsilon, _family == "gemma2" ? 1 : 0);
}
