using System.Diagnostics;
using Toolkit.Data;
using Toolkit.Models;
using Toolkit.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Benchmarks.Training;

/// <summary>One training step of a 2 M parameter Llama, relative to the machine's matrix product rate in the same run.</summary>
internal static class TrainingStepBenchmark
{
    private const int Batch = 16;
    private const int Time = 256;
    private const int Steps = 12;

    public static int Run()
    {
        var before = MatMulRate(1024);
        using var model = Decoder.Create(DecoderConfig.Llama(layers: 4, width: 192, heads: 6, keyValueHeads: 2, vocabularySize: 4096, tieEmbeddings: true), seed: 1);
        var random = new Random(1);
        var corpus = TokenizedCorpus.FromIds([.. Enumerable.Range(0, 500_000).Select(_ => random.Next(4096))], new int[4096]);
        var options = new TrainingOptions { Steps = Steps, BatchSize = Batch, SequenceLength = Time, PeakFlopsPerSecond = before };
        using var trainer = new Trainer(model, corpus, options);
        var (times, overheads) = (new List<double>(), new List<double>());
        foreach (var step in trainer.Run())
        {
            var seconds = options.TokensPerStep / step.TokensPerSecond;
            times.Add(seconds);
            overheads.Add(seconds - trainer.ModelTime.TotalSeconds);
            Console.WriteLine($"step {seconds * 1e3:F0} ms, of it beside forward and backward {overheads[^1] * 1e3:F1} ms; loss {step.Loss:F4}, gradient norm {step.GradientNorm:F3}, {step.Memory}");
        }

        // Others may have used the machine during one of the two: the higher rate is the nearer to what it can do.
        var after = MatMulRate(1024);
        var ceiling = Math.Max(before, after);
        Console.WriteLine($"f32 matrix product {before / 1e9:F1} before, {after / 1e9:F1} GFLOP/s after ({get_num_threads()} threads)");
        var (median, overhead) = (Median(times), Median(overheads));
        var flops = model.FlopsPerToken(Time) * 3 * Batch * Time;
        Console.WriteLine($"{model.ParameterCount:N0} parameters: median {median * 1e3:F0} ms, {Batch * Time / median:F0} tokens/s, {flops / median / 1e9:F1} GFLOP/s, MFU {flops / median / ceiling:P1}");
        Console.WriteLine($"optimizer, clipping, data and bookkeeping: median {overhead * 1e3:F1} ms, {overhead / median:P2} of the step");
        return 0;
    }

    /// <summary>Of all but the first two, which also pay for what is done once.</summary>
    private static double Median(List<double> seconds) => seconds.Skip(2).Order().ElementAt((seconds.Count - 2) / 2);

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
