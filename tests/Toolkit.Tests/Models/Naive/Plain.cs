namespace Toolkit.Tests.Models.Naive;

/// <summary>The arithmetic of a transformer in plain loops over doubles: slow, and with nothing in common with the library.</summary>
internal static class Plain
{
    /// <summary>Rows of x times the rows of a (outputs, inputs) matrix, plus a bias.</summary>
    public static double[][] Linear(double[][] x, double[][] weight, double[]? bias) => [.. x.Select(row => weight.Select((w, o) =>
    {
        var sum = bias?[o] ?? 0;
        for (var i = 0; i < w.Length; i++)
        {
            sum += w[i] * row[i];
        }

        return sum;
    }).ToArray())];

    public static double[] LayerNorm(double[] x, double[] weight, double[] bias, double epsilon)
    {
        var mean = x.Average();
        var variance = x.Average(v => (v - mean) * (v - mean));
        return [.. x.Select((v, i) => ((v - mean) / Math.Sqrt(variance + epsilon) * weight[i]) + bias[i])];
    }

    public static double[] RmsNorm(double[] x, double[] weight, double epsilon, double offset = 0)
    {
        var square = x.Average(v => v * v);
        return [.. x.Select((v, i) => v / Math.Sqrt(square + epsilon) * (offset + weight[i]))];
    }

    public static double[][] Add(double[][] a, double[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (u, v) => u + v).ToArray())];

    public static double[][] Map(double[][] x, Func<double, double> f) => [.. x.Select(row => row.Select(f).ToArray())];

    public static double[][] Multiply(double[][] a, double[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (u, v) => u * v).ToArray())];

    /// <summary>Columns [from, from + count) of every row.</summary>
    public static double[][] Columns(double[][] x, int from, int count) => [.. x.Select(row => row[from..(from + count)])];

    /// <summary>Heads of a row: [T][H][D].</summary>
    public static double[][][] Heads(double[][] x, int width) => [.. x.Select(row => row.Chunk(width).ToArray())];

    public static double Silu(double x) => x / (1 + Math.Exp(-x));

    public static double GeluTanh(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x))));

    public static double Gelu(double x) => 0.5 * x * (1 + Erf(x / Math.Sqrt(2)));

    public static double Relu(double x) => Math.Max(x, 0);

    /// <summary>Turns pairs (i, i + R/2) of the first R dimensions by position times frequency.</summary>
    public static double[][][] Rotate(double[][][] x, double[] frequencies, double factor = 1) => [.. x.Select((heads, t) => heads.Select(head =>
    {
        var (turned, half) = (head.ToArray(), frequencies.Length);
        for (var i = 0; i < half; i++)
        {
            var (sin, cos) = Math.SinCos(t * frequencies[i]);
            turned[i] = ((head[i] * cos) - (head[i + half] * sin)) * factor;
            turned[i + half] = ((head[i + half] * cos) + (head[i] * sin)) * factor;
        }

        return turned;
    }).ToArray())];

    /// <summary>Causal attention. The score of head h, query t and key s passes through <paramref name="score"/>; a window hides what lies before it.</summary>
    public static double[][] Attend(double[][][] q, double[][][] k, double[][][] v, double scale, int? window = null, Func<int, int, double, double>? score = null)
    {
        var group = q[0].Length / k[0].Length;
        return [.. q.Select((heads, t) => heads.SelectMany((query, h) =>
        {
            var first = window is { } w ? Math.Max(0, t - w + 1) : 0;
            var scores = new double[t + 1 - first];
            for (var s = first; s <= t; s++)
            {
                var product = query.Zip(k[s][h / group], (a, b) => a * b).Sum() * scale;
                scores[s - first] = score is null ? product : score(h, s, product);
            }

            var most = scores.Max();
            var weights = scores.Select(x => Math.Exp(x - most)).ToArray();
            var total = weights.Sum();
            return Enumerable.Range(0, v[0][0].Length).Select(d => weights.Select((x, i) => x / total * v[first + i][h / group][d]).Sum());
        }).ToArray())];
    }

    /// <summary>The error function by its series, which converges fast enough for the values of a test.</summary>
    private static double Erf(double x)
    {
        if (Math.Abs(x) > 5)
        {
            return Math.Sign(x);
        }

        var (term, sum) = (x, x);
        for (var n = 1; n < 120; n++)
        {
            term *= -x * x / n;
            sum += term / ((2 * n) + 1);
        }

        return 2 / Math.Sqrt(Math.PI) * sum;
    }
}
