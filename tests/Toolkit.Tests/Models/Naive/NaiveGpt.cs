using System.Text.Json.Nodes;

namespace Toolkit.Tests.Models.Naive;

/// <summary>GPT-2 and GPT-NeoX as transformers' sources describe them.</summary>
internal sealed class NaiveGpt(JsonNode config, NaiveWeights weights)
{
    private readonly bool _neox = config["model_type"]!.ToString() == "gpt_neox";
    private readonly int _heads = (int)(config["n_head"] ?? config["num_attention_heads"])!;
    private readonly int _width = (int)(config["n_embd"] ?? config["hidden_size"])! / (int)(config["n_head"] ?? config["num_attention_heads"])!;

    public double[][] Logits(int[] ids)
    {
        var table = weights.Matrix(_neox ? "gpt_neox.embed_in.weight" : "transformer.wte.weight");
        var x = ids.Select(id => table[id]).ToArray();
        if (!_neox)
        {
            var positions = weights.Matrix("transformer.wpe.weight");
            x = Plain.Add(x, [.. ids.Select((_, t) => positions[t])]);
        }

        for (var layer = 0; layer < (int)(config["n_layer"] ?? config["num_hidden_layers"])!; layer++)
        {
            x = _neox ? NeoX(x, $"gpt_neox.layers.{layer}.") : Gpt2(x, $"transformer.h.{layer}.", layer);
        }

        return _neox
            ? weights.Linear(weights.LayerNorm(x, "gpt_neox.final_layer_norm"), "embed_out")
            : Plain.Linear(weights.LayerNorm(x, "transformer.ln_f"), table, null);
    }

    private double[][] Gpt2(double[][] x, string name, int layer)
    {
        var all = Conv(weights.LayerNorm(x, name + "ln_1"), name + "attn.c_attn");
        var size = _heads * _width;
        var heads = new[] { 0, 1, 2 }.Select(part => Plain.Heads(Plain.Columns(all, part * size, size), _width)).ToArray();
        var scale = ((bool?)config["scale_attn_weights"] ?? true ? 1 / Math.Sqrt(_width) : 1) / ((bool?)config["scale_attn_by_inverse_layer_idx"] ?? false ? layer + 1 : 1);
        x = Plain.Add(x, Conv(Plain.Attend(heads[0], heads[1], heads[2], scale), name + "attn.c_proj"));
        var inner = Plain.Map(Conv(weights.LayerNorm(x, name + "ln_2"), name + "mlp.c_fc"), (string?)config["activation_function"] == "relu" ? Plain.Relu : Plain.GeluTanh);
        return Plain.Add(x, Conv(inner, name + "mlp.c_proj"));
    }

    private double[][] NeoX(double[][] x, string name)
    {
        var attended = NeoXAttention(weights.LayerNorm(x, name + "input_layernorm"), name + "attention.");
        var parallel = (bool?)config["use_parallel_residual"] ?? true;
        var between = Plain.Add(x, attended);
        var inner = weights.Linear(weights.LayerNorm(parallel ? x : between, name + "post_attention_layernorm"), name + "mlp.dense_h_to_4h");
        return Plain.Add(between, weights.Linear(Plain.Map(inner, Plain.Gelu), name + "mlp.dense_4h_to_h"));
    }

    private double[][] NeoXAttention(double[][] x, string name)
    {
        var all = Plain.Heads(weights.Linear(x, name + "query_key_value"), _width); // for every head: query, key, value
        var parts = new[] { 0, 1, 2 }.Select(part => all.Select(row => row.Where((_, i) => i % 3 == part).ToArray()).ToArray()).ToArray();
        var rotary = (int)(_width * ((double?)config["rotary_pct"] ?? 0.25));
        var theta = (double?)config["rotary_emb_base"] ?? 10000;
        var frequencies = Enumerable.Range(0, rotary / 2).Select(i => Math.Pow(theta, -2.0 * i / rotary)).ToArray();
        var attended = Plain.Attend(Plain.Rotate(parts[0], frequencies), Plain.Rotate(parts[1], frequencies), parts[2], 1 / Math.Sqrt(_width));
        return weights.Linear(attended, name + "dense");
    }

    /// <summary>A weight that is stored as (inputs, outputs).</summary>
    private double[][] Conv(double[][] x, string name)
    {
        var stored = weights.Matrix(name + ".weight");
        var matrix = Enumerable.Range(0, stored[0].Length).Select(o => stored.Select(row => row[o]).ToArray()).ToArray();
        return Plain.Linear(x, matrix, weights.Vector(name + ".bias"));
    }
}
