using System.Text.Json.Nodes;

namespace Toolkit.Tests.Models.Naive;

/// <summary>OPT as transformers' source describes it.</summary>
internal sealed class NaiveOpt(JsonNode config, NaiveWeights weights)
{
    public double[][] Logits(int[] ids)
    {
        var (table, positions) = (weights.Matrix("model.decoder.embed_tokens.weight"), weights.Matrix("model.decoder.embed_positions.weight"));
        var x = ids.Select(id => table[id]).ToArray();
        var narrow = config["word_embed_proj_dim"] is not null;
        x = narrow ? weights.Linear(x, "model.decoder.project_in") : x;
        x = Plain.Add(x, [.. ids.Select((_, t) => positions[t + 2])]);
        var before = (bool?)config["do_layer_norm_before"] ?? true;
        var (heads, width) = ((int)config["num_attention_heads"]!, (int)config["hidden_size"]! / (int)config["num_attention_heads"]!);
        for (var layer = 0; layer < (int)config["num_hidden_layers"]!; layer++)
        {
            var name = $"model.decoder.layers.{layer}.";
            var input = before ? weights.LayerNorm(x, name + "self_attn_layer_norm") : x;
            var (q, k, v) = (weights.Linear(input, name + "self_attn.q_proj"), weights.Linear(input, name + "self_attn.k_proj"), weights.Linear(input, name + "self_attn.v_proj"));
            var attended = Plain.Attend(Plain.Heads(q, width), Plain.Heads(k, width), Plain.Heads(v, width), 1 / Math.Sqrt(width));
            x = Plain.Add(x, weights.Linear(attended, name + "self_attn.out_proj"));
            x = before ? x : weights.LayerNorm(x, name + "self_attn_layer_norm");
            input = before ? weights.LayerNorm(x, name + "final_layer_norm") : x;
            x = Plain.Add(x, weights.Linear(Plain.Map(weights.Linear(input, name + "fc1"), Plain.Relu), name + "fc2"));
            x = before ? x : weights.LayerNorm(x, name + "final_layer_norm");
        }

        Assert.Equal(heads * width, x[0].Length);
        x = before ? weights.LayerNorm(x, "model.decoder.final_layer_norm") : x;
        x = narrow ? weights.Linear(x, "model.decoder.project_out") : x;
        return Plain.Linear(x, table, null);
    }
}
