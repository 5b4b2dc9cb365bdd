using System.Diagnostics;
using Toolkit.Graphs;
using Toolkit.Graphs.Dispatch;
using Toolkit.Models;
using Toolkit.Tests.Graphs.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Benchmarks.Graphs;

/// <summary>A training step (forward, loss, backward) as it is and compiled, in turn; medians.</summary>
internal static class TrainingGraphBenchmark
{
    private const int Rounds = 31;

    public static int Run(string[] only)
    {
        Console.WriteLine($"{Native.CpuInfo.Name}, {Native.CpuInfo.Cores} cores, {Native.CpuInfo.SimdLevel}");
        Console.WriteLine($"{"row",-34} {"eager",10} {"compiled",10} {"ratio",7}   first calls");
        foreach (var (name, make) in Rows().Where(row => only.Length == 0 || only.Any(word => row.Name.Contains(word, StringComparison.Ordinal))))
        {
            foreach (var (backEnd, options) in new[] { ("", new CompileOptions()), (", libtorch's kernels", new CompileOptions { Backend = graph => new DispatcherExecutor(graph) }) })
            {
                Row(name + backEnd, make, options);
            }
        }

        return 0;
    }

    private static IEnumerable<(string Name, Func<(nn.Module<Tensor, Tensor, Tensor> Module, Tensor X, Tensor Y)> Make)> Rows()
    {
        yield return ("mlp 3x512, 64 rows", () => (new Pair(nn.Sequential(nn.Linear(512, 512), nn.GELU(), nn.LayerNorm(512), nn.Linear(512, 512), nn.GELU(), nn.Linear(512, 64))), randn(64, 512), randint(0, 64, [64])));
        yield return ("gpt 4x128, 8x64", () => (new TrainedModules.WithLoss(new TrainedModules.Gpt(1000, 64, 128, 4, 4, isManual: true)), randint(0, 1000, [8, 64]), randint(0, 1000, [8, 64])));
        yield return ("gpt 4x128, 8x64, sdpa", () => (new TrainedModules.WithLoss(new TrainedModules.Gpt(1000, 64, 128, 4, 4, isManual: false)), randint(0, 1000, [8, 64]), randint(0, 1000, [8, 64])));
        yield return ("decoder 4x192, 4x128", () => (new DecoderLoss(DecoderConfig.Llama(layers: 4, width: 192, heads: 6, keyValueHeads: 2, vocabularySize: 4096, tieEmbeddings: true)), randint(0, 4096, [4, 128]), randint(0, 4096, [4, 128])));
    }

    private static void Row(string name, Func<(nn.Module<Tensor, Tensor, Tensor> Module, Tensor X, Tensor Y)> make, CompileOptions options)
    {
        using var scope = NewDisposeScope();
        var (module, x, y) = make();
        using var compiled = module.Compile(options);
        double Step(nn.Module<Tensor, Tensor, Tensor> run)
        {
            using var inner = NewDisposeScope();
            module.zero_grad();
            var begin = Stopwatch.GetTimestamp();
            run.call(x, y).backward();
            return Stopwatch.GetElapsedTime(begin).TotalSeconds;
        }

        Step(module);
        var first = Step(compiled) + Step(compiled);
        var (eager, fast) = (new List<double>(), new List<double>());
        for (var i = -40; i < Rounds; i++) // .NET optimizes what runs often, in the background
        {
            var (a, b) = (Step(module), Step(compiled));
            if (i >= 0)
            {
                eager.Add(a);
                fast.Add(b);
            }
        }

        var (slow, quick) = (eager.Order().ElementAt(Rounds / 2), fast.Order().ElementAt(Rounds / 2));
        Console.WriteLine($"{name,-34} {slow * 1e3,7:F2} ms {quick * 1e3,7:F2} ms {slow / quick,6:F2}x   {first:F2} s");
        foreach (var line in compiled.Explain().Training.Concat(compiled.Explain().Breaks.Select(problem => problem.ToString())))
        {
            Console.WriteLine($"    {line}");
        }
    }

    private sealed class Pair : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> _model;

        public Pair(nn.Module<Tensor, Tensor> model)
            : base(nameof(Pair))
        {
            _model = model;
            RegisterComponents();
        }

        public override Tensor forward(Tensor x, Tensor y) => nn.functional.cross_entropy(_model.call(x), y);
    }

    private sealed class DecoderLoss : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly Decoder _decoder;

        public DecoderLoss(DecoderConfig config)
            : base(nameof(DecoderLoss))
        {
            _decoder = Decoder.Create(config, 1);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x, Tensor y) => _decoder.Loss(x, y);
    }
}
