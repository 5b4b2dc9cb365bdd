using System.Text.Json.Nodes;

namespace Toolkit.Tests.Models.Naive;

/// <summary>Mamba, Mamba-2 and RWKV-4 from their papers and the fields of <c>config.json</c>, one position and one number after the other.</summary>
internal sealed class NaiveRecurrent(JsonNode config, NaiveWeights weights)
{
    private readonly double _epsilon = (double)config["layer_norm_epsilon"]!;

    /// <summary>Logits of every position.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="before">Where given, the tokens whose norms the first block's time mixing takes for those before each (RWKV).</param>
    public double[][] Logits(int[] ids, int?[]? before = null)
    {
        var isRwkv = (string)config["model_type"]! == "rwkv";
        var (table, head) = isRwkv ? ("rwkv.embeddings.weight", "head.weight") : ("backbone.embeddings.weight", "lm_head.weight");
        var embedding = weights.Matrix(table);
        double[][] x = [.. ids.Select(id => embedding[id])];
        x = isRwkv ? Rwkv(x, before?.Select(id => id is { } token ? embedding[token] : null).ToArray()) : StateSpace(x);
        return Plain.Linear(x, (bool)config["tie_word_embeddings"]! ? embedding : weights.Matrix(head), null);
    }

    private int Number(string name) => (int)config[name]!;

    private double[][] StateSpace(double[][] x)
    {
        for (var i = 0; i < Number("num_hidden_layers"); i++)
        {
            var layer = $"backbone.layers.{i}.";
            var normed = weights.RmsNorm(x, layer + "norm", _epsilon);
            x = Plain.Add(x, config["num_heads"] is null ? Mamba(normed, layer + "mixer.") : Mamba2(normed, layer + "mixer."));
        }

        return weights.RmsNorm(x, "backbone.norm_f", _epsilon);
    }

    private double[][] Mamba(double[][] x, string name)
    {
        var (skip, rank, states) = (weights.Vector(name + "D"), Number("time_step_rank"), Number("state_size"));
        var (inner, decay) = (skip.Length, weights.Matrix(name + "A_log"));
        var projected = weights.Linear(x, name + "in_proj");
        var u = Convolve(Plain.Columns(projected, 0, inner), name);
        var selection = weights.Linear(u, name + "x_proj");
        var steps = weights.Linear(Plain.Columns(selection, 0, rank), name + "dt_proj");
        var h = new double[inner, states];
        var y = new double[x.Length][];
        for (var t = 0; t < x.Length; t++)
        {
            y[t] = new double[inner];
            for (var d = 0; d < inner; d++)
            {
                var step = Math.Log(1 + Math.Exp(steps[t][d]));
                for (var n = 0; n < states; n++)
                {
                    h[d, n] = (Math.Exp(-Math.Exp(decay[d][n]) * step) * h[d, n]) + (step * selection[t][rank + n] * u[t][d]);
                    y[t][d] += h[d, n] * selection[t][rank + states + n];
                }

                y[t][d] = (y[t][d] + (skip[d] * u[t][d])) * Plain.Silu(projected[t][inner + d]);
            }
        }

        return weights.Linear(y, name + "out_proj");
    }

    private double[][] Mamba2(double[][] x, string name)
    {
        var (heads, rows, states, groups) = (Number("num_heads"), Number("head_dim"), Number("state_size"), Number("n_groups"));
        var (inner, shared) = (heads * rows, groups * states);
        var (decay, skip, bias) = (weights.Vector(name + "A_log"), weights.Vector(name + "D"), weights.Vector(name + "dt_bias"));
        var (least, most) = config["time_step_limit"] is JsonArray limits ? ((double)limits[0]!, limits[1] is JsonObject ? double.PositiveInfinity : (double)limits[1]!) : (0, double.PositiveInfinity);
        var projected = weights.Linear(x, name + "in_proj");
        var mixed = Convolve(Plain.Columns(projected, inner, inner + (2 * shared)), name);
        var h = new double[heads, rows, states];
        var y = new double[x.Length][];
        for (var t = 0; t < x.Length; t++)
        {
            y[t] = new double[inner];
            for (var head = 0; head < heads; head++)
            {
                var step = Math.Clamp(Math.Log(1 + Math.Exp(projected[t][(2 * inner) + (2 * shared) + head] + bias[head])), least, most);
                var keys = inner + (head / (heads / groups) * states);
                for (var p = 0; p < rows; p++)
                {
                    var at = (head * rows) + p;
                    for (var n = 0; n < states; n++)
                    {
                        h[head, p, n] = (Math.Exp(-Math.Exp(decay[head]) * step) * h[head, p, n]) + (step * mixed[t][keys + n] * mixed[t][at]);
                        y[t][at] += h[head, p, n] * mixed[t][keys + shared + n];
                    }

                    y[t][at] = (y[t][at] + (skip[head] * mixed[t][at])) * Plain.Silu(projected[t][at]);
                }
            }
        }

        return weights.Linear(weights.RmsNorm(y, name + "norm", _epsilon), name + "out_proj");
    }

    /// <summary>The K positions up to each, every channel on its own, then silu.</summary>
    private double[][] Convolve(double[][] x, string name)
    {
        var (kernel, weight) = (Number("conv_kernel"), weights.Vector(name + "conv1d.weight"));
        var bias = (bool)config["use_conv_bias"]! ? weights.Vector(name + "conv1d.bias") : new double[x[0].Length];
        return [.. x.Select((row, t) => row.Select((_, d) =>
        {
            var sum = bias[d];
            for (var i = 0; i < kernel; i++)
            {
                var s = t - kernel + 1 + i;
                sum += s < 0 ? 0 : weight[(d * kernel) + i] * x[s][d];
            }

            return Plain.Silu(sum);
        }).ToArray())];
    }

    private double[][] Rwkv(double[][] x, double[]?[]? before)
    {
        var every = Number("rescale_every");
        x = weights.LayerNorm(x, "rwkv.blocks.0.pre_ln");
        for (var i = 0; i < Number("num_hidden_layers"); i++)
        {
            var (block, scale) = ($"rwkv.blocks.{i}.", every > 0 ? 1 / Math.Pow(2, i / every) : 1);
            var others = i > 0 ? null : before?.Select(row => row is null ? null : weights.LayerNorm(weights.LayerNorm([row], block + "pre_ln"), block + "ln1")[0]).ToArray();
            x = Plain.Add(x, Plain.Map(MixTime(weights.LayerNorm(x, block + "ln1"), others, block + "attention."), v => v * scale));
            x = Plain.Add(x, Plain.Map(MixChannels(weights.LayerNorm(x, block + "ln2"), block + "feed_forward."), v => v * scale));
            x = every > 0 && (i + 1) % every == 0 ? Plain.Map(x, v => v / 2) : x;
        }

        return weights.LayerNorm(x, "rwkv.ln_out");
    }

    /// <summary>The definition without any trick: all weights of all positions before, with large exponents no problem in doubles.</summary>
    private double[][] MixTime(double[][] x, double[]?[]? before, string name)
    {
        var (decay, first) = (weights.Vector(name + "time_decay"), weights.Vector(name + "time_first"));
        var (key, value) = (weights.Linear(Mix(x, before, name + "time_mix_key"), name + "key"), weights.Linear(Mix(x, before, name + "time_mix_value"), name + "value"));
        var receptance = weights.Linear(Mix(x, before, name + "time_mix_receptance"), name + "receptance");
        double[][] y = [.. x.Select((_, t) => decay.Select((w, d) =>
        {
            var (numerator, denominator) = (Math.Exp(first[d] + key[t][d]) * value[t][d], Math.Exp(first[d] + key[t][d]));
            for (var s = 0; s < t; s++)
            {
                var weight = Math.Exp((-(t - 1 - s) * Math.Exp(w)) + key[s][d]);
                numerator += weight * value[s][d];
                denominator += weight;
            }

            return numerator / denominator * Sigmoid(receptance[t][d]);
        }).ToArray())];
        return weights.Linear(y, name + "output");
    }

    private double[][] MixChannels(double[][] x, string name)
    {
        var inner = Plain.Map(weights.Linear(Mix(x, null, name + "time_mix_key"), name + "key"), v => Plain.Relu(v) * Plain.Relu(v));
        var receptance = Plain.Map(weights.Linear(Mix(x, null, name + "time_mix_receptance"), name + "receptance"), Sigmoid);
        return Plain.Multiply(receptance, weights.Linear(inner, name + "value"));
    }

    private double[][] Mix(double[][] x, double[]?[]? before, string name)
    {
        var proportion = weights.Vector(name);
        return [.. x.Select((row, t) => row.Select((v, d) => (v * proportion[d]) + ((before is not null ? before[t]?[d] ?? 0 : t > 0 ? x[t - 1][d] : 0) * (1 - proportion[d]))).ToArray())];
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
