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
    private const int Steps = 20;

    public static int Run()
    {
        using var model = Decoder.Create(DecoderConfig.Llama(layers: 4, width: 192, heads: 6, keyValueHeads: 2, vocabularySize: 4096, tieEmbeddings: true), seed: 1);
        var random = new Random(1);
        var corpus = TokenizedCorpus.FromIds([.. Enumerable.Range(0, 500_000).Select(_ => random.Next(4096))], new int[4096]);
        var options = new TrainingOptions { Steps = Steps, BatchSize = Batch, SequenceLength = Time };
        using var trainer = new Trainer(model, corpus, options);
        var flops = model.FlopsPerToken(Time) * 3 * Batch * Time;
        var (times, overheads, rates, shares) = (new List<double>(), new List<double>(), new List<double> { MatMulRate() }, new List<double>());
        foreach (var step in trainer.Run())
        {
            // A machine with neighbours changes its speed from second to second: each step is held against the products just before and after it.
            rates.Add(MatMulRate());
            var seconds = options.TokensPerStep / step.TokensPerSecond;
            times.Add(seconds);
            overheads.Add(seconds - trainer.ModelTime.TotalSeconds);
            shares.Add(flops / seconds / ((rates[^1] + rates[^2]) / 2));
            Console.WriteLine($"step {seconds * 1e3:F0} ms, of it beside forward and backward {overheads[^1] * 1e3:F1} ms; product {rates[^1] / 1e9:F0} GFLOP/s, MFU {shares[^1]:P1}; loss {step.Loss:F4}, {step.Memory}");
        }

        var (median, overhead) = (Median(times), Median(overheads));
        Console.WriteLine($"f32 matrix product: {rates.Min() / 1e9:F0} to {rates.Max() / 1e9:F0}, median {Median(rates) / 1e9:F0} GFLOP/s ({get_num_threads()} threads)");
        Console.WriteLine($"{model.ParameterCount:N0} parameters: median {median * 1e3:F0} ms, {Batch * Time / median:F0} tokens/s, {flops / median / 1e9:F1} GFLOP/s; MFU of a step against the products beside it: median {Median(shares):P1}");
        Console.WriteLine($"optimizer, clipping, data and bookkeeping: median {overhead * 1e3:F1} ms, {overhead / median:P2} of the step");
        return 0;
    }

    /// <summary>Of all but the first two, which also pay for what is done once.</summary>
    private static double Median(List<double> values) => values.Skip(2).Order().ElementAt((values.Count - 2) / 2);

    /// <summary>The best of several products of two sizes, as the doctor takes it.</summary>
    private static double MatMulRate()
    {
        using var noGradient = no_grad();
        var best = 0.0;
        foreach (var size in new[] { 1024, 2048 })
        {
            using var scope = NewDisposeScope();
            var (a, b, product) = (ones(size, size), ones(size, size), empty(size, size));
            for (var i = 0; i < 4; i++)
            {
                var start = Stopwatch.GetTimestamp();
                Ops.CpuKernel.Multiply(product, a, b);
                best = Math.Max(best, 2.0 * size * size * size / Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        return best;
    }
}
