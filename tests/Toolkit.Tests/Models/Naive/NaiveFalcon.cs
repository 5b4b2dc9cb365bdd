using System.Text.Json.Nodes;

namespace Toolkit.Tests.Models.Naive;

/// <summary>Falcon, and BLOOM, which it grew out of, as transformers' sources describe them.</summary>
internal sealed class NaiveFalcon(JsonNode config, NaiveWeights weights)
{
    private readonly bool _bloom = config["model_type"]!.ToString() == "bloom";
    private readonly int _heads = (int)(config["num_attention_heads"] ?? config["n_head"])!;
    private readonly int _width = (int)config["hidden_size"]! / (int)(config["num_attention_heads"] ?? config["n_head"])!;
    private readonly bool _grouped = (bool?)config["new_decoder_architecture"] ?? false;
    private readonly bool _parallel = config["model_type"]!.ToString() == "falcon" && ((bool?)config["parallel_attn"] ?? true);
    private readonly bool _alibi = config["model_type"]!.ToString() == "bloom" || ((bool?)config["alibi"] ?? false);

    public double[][] Logits(int[] ids)
    {
        var table = weights.Matrix("transformer.word_embeddings.weight");
        var x = ids.Select(id => table[id]).ToArray();
        x = _bloom ? weights.LayerNorm(x, "transformer.word_embeddings_layernorm") : x;
        for (var layer = 0; layer < (int)(config["num_hidden_layers"] ?? config["n_layer"])!; layer++)
        {
            var name = $"transformer.h.{layer}.";
            if (!_parallel)
            {
                x = Plain.Add(x, Attention(weights.LayerNorm(x, name + "input_layernorm"), name));
                x = Plain.Add(x, FeedForward(weights.LayerNorm(x, name + "post_attention_layernorm"), name));
                continue;
            }

            var two = _grouped && ((int?)config["num_ln_in_parallel_attn"] ?? 2) == 2;
            var first = weights.LayerNorm(x, name + (two ? "ln_attn" : "input_layernorm"));
            var second = two ? weights.LayerNorm(x, name + "ln_mlp") : first;
            x = Plain.Add(x, Plain.Add(Attention(first, name), FeedForward(second, name)));
        }

        return Plain.Linear(weights.LayerNorm(x, "transformer.ln_f"), table, null);
    }

    private double[][] FeedForward(double[][] x, string name) =>
        weights.Linear(Plain.Map(weights.Linear(x, name + "mlp.dense_h_to_4h"), _bloom ? Plain.GeluTanh : Plain.Gelu), name + "mlp.dense_4h_to_h");

    private double[][] Attention(double[][] x, string name)
    {
        var all = Plain.Heads(weights.Linear(x, name + "self_attention.query_key_value"), _width); // [T][slots][D]
        double[][][] q, k, v;
        if (_grouped)
        {
            // For every key-value head: its queries, its key, its value.
            var group = (_heads / (int)config["num_kv_heads"]!) + 2;
            q = Slots(i => i % group < group - 2);
            (k, v) = (Slots(i => i % group == group - 2), Slots(i => i % group == group - 1));
        }
        else if (!_bloom && ((bool?)config["multi_query"] ?? true))
        {
            (q, k, v) = (Slots(i => i < _heads), Slots(i => i == _heads), Slots(i => i == _heads + 1));
        }
        else
        {
            (q, k, v) = (Slots(i => i % 3 == 0), Slots(i => i % 3 == 1), Slots(i => i % 3 == 2));
        }

        var scale = 1 / Math.Sqrt(_width);
        if (!_alibi)
        {
            var (frequencies, factor) = NaiveRotary.Of(config, _width, x.Length);
            (q, k) = (Plain.Rotate(q, frequencies, factor), Plain.Rotate(k, frequencies, factor));
        }

        Func<int, int, double, double>? bias = !_alibi ? null : _bloom
            ? (h, s, score) => score + (Slope(h) * s)
            : (h, s, score) => score + ((double)(float)(BFloat(BFloat(Slope(h)) * BFloat(s))) * scale);
        return weights.Linear(Plain.Attend(q, k, v, scale, null, bias), name + "self_attention.dense");

        double[][][] Slots(Func<int, bool> chosen) => [.. all.Select(row => row.Where((_, i) => chosen(i)).ToArray())];
    }

    private double Slope(int head)
    {
        var whole = 1;
        while (whole * 2 <= _heads)
        {
            whole *= 2;
        }

        return head < whole ? Math.Pow(2, -8.0 / whole * (head + 1)) : Math.Pow(2, -4.0 / whole * ((2 * (head - whole)) + 1));
    }

    /// <summary>The nearest number with eight bits, ties to even.</summary>
    private static double BFloat(double x)
    {
        var bits = BitConverter.SingleToUInt32Bits((float)x);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }
}
