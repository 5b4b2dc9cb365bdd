using System.Text.Json.Nodes;

namespace Toolkit.Tests.Models.Naive;

/// <summary>BERT from its paper and the fields of <c>config.json</c>, in plain loops.</summary>
internal sealed class NaiveBert(JsonNode config, NaiveWeights weights)
{
    public double[][] Hidden(int[] ids, int[] types)
    {
        var (words, positions, kinds) = (weights.Matrix("embeddings.word_embeddings.weight"), weights.Matrix("embeddings.position_embeddings.weight"), weights.Matrix("embeddings.token_type_embeddings.weight"));
        var x = Norm(Plain.Add(Plain.Add([.. ids.Select(id => words[id])], positions), [.. types.Select(type => kinds[type])]), "embeddings");
        var heads = (int)config["num_attention_heads"]!;
        for (var i = 0; i < (int)config["num_hidden_layers"]!; i++)
        {
            var layer = $"encoder.layer.{i}.";
            var attended = Attend(x, layer + "attention.self.", x[0].Length / heads);
            x = Norm(Plain.Add(x, weights.Linear(attended, layer + "attention.output.dense")), layer + "attention.output");
            var inner = Plain.Map(weights.Linear(x, layer + "intermediate.dense"), (string)config["hidden_act"]! switch { "gelu" => Plain.Gelu, "relu" => Plain.Relu, _ => Plain.GeluTanh });
            x = Norm(Plain.Add(x, weights.Linear(inner, layer + "output.dense")), layer + "output");
        }

        return x;
    }

    private double[][] Attend(double[][] x, string name, int width)
    {
        var (q, k, v) = (weights.Linear(x, name + "query"), weights.Linear(x, name + "key"), weights.Linear(x, name + "value"));
        var y = x.Select(row => new double[row.Length]).ToArray();
        for (var start = 0; start < x[0].Length; start += width)
        {
            for (var t = 0; t < x.Length; t++)
            {
                var scores = k.Select(key => Enumerable.Range(start, width).Sum(d => q[t][d] * key[d]) / Math.Sqrt(width)).ToArray();
                var exponentials = scores.Select(score => Math.Exp(score - scores.Max())).ToArray();
                for (var d = start; d < start + width; d++)
                {
                    y[t][d] = exponentials.Select((e, s) => e * v[s][d]).Sum() / exponentials.Sum();
                }
            }
        }

        return y;
    }

    private double[][] Norm(double[][] x, string name)
    {
        var (scale, shift) = (weights.Vector(name + ".LayerNorm.weight"), weights.Vector(name + ".LayerNorm.bias"));
        return [.. x.Select(row => Plain.LayerNorm(row, scale, shift, (double)config["layer_norm_eps"]!))];
    }
}
