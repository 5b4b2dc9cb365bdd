using System.Diagnostics;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Benchmarks.Training;

/// <summary>One training step of a 2 M parameter Llama, relative to the machine's matrix product rate in the same run.</summary>
internal static class TrainingStepBenchmark
{
    private const int Batch = 16;
    private const int Time = 256;

    public static int Run()
    {
        var before = MatMulRate(1024);
        using var model = Decoder.Create(DecoderConfig.Llama(layers: 4, width: 192, heads: 6, keyValueHeads: 2, vocabularySize: 4096, tieEmbeddings: true), seed: 1);
        using var optimizer = optim.AdamW(model.parameters(), 1e-3);
        var ids = randint(0, 4096, [Batch, Time], int64);
        var targets = randint(0, 4096, [Batch, Time], int64);
        var times = new List<double>();
        for (var i = 0; i < 12; i++)
        {
            var clock = Stopwatch.StartNew();
            using var scope = NewDisposeScope();
            optimizer.zero_grad();
            var loss = model.Loss(ids, targets);
            var forward = clock.Elapsed.TotalMilliseconds;
            loss.backward();
            var backward = clock.Elapsed.TotalMilliseconds;
            optimizer.step();
            times.Add(backward);
            Console.WriteLine($"forward {forward:F0} backward {backward - forward:F0} step {clock.Elapsed.TotalMilliseconds - backward:F0} ms loss {loss.item<float>():F4}");
        }

        // Others may have used the machine during one of the two: the higher rate is the nearer to what it can do.
        var after = MatMulRate(1024);
        var ceiling = Math.Max(before, after);
        Console.WriteLine($"f32 matrix product {before / 1e9:F1} before, {after / 1e9:F1} GFLOP/s after ({get_num_threads()} threads)");
        var median = times.Skip(2).Order().ElementAt((times.Count - 2) / 2) / 1e3;
        var flops = model.FlopsPerToken(Time) * 3 * Batch * Time;
        Console.WriteLine($"{model.ParameterCount:N0} parameters: median {median * 1e3:F0} ms, {Batch * Time / median:F0} tokens/s, {flops / median / 1e9:F1} GFLOP/s, MFU {flops / median / ceiling:P1}");
        return 0;
    }

    private static double MatMulRate(int size)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var (a, b) = (randn(size, size), randn(size, size));
        var best = double.MaxValue;
        for (var i = 0; i < 20; i++)
        {
            var clock = Stopwatch.StartNew();
            using var product = a.matmul(b);
            best = Math.Min(best, clock.Elapsed.TotalSeconds);
        }

        return 2.0 * size * size * size / best;
    }
}
