using System.Diagnostics;
using Toolkit.Graphs;
using Toolkit.Graphs.Capture;
using Toolkit.Graphs.Cpu;
using Toolkit.Tests.Graphs.Zoo;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Benchmarks.Graphs;

/// <summary>What capture costs: the guards of one call, the first capture of a process and later ones, compilation without and with kernels on disk.</summary>
internal static class GuardBenchmark
{
    /// <summary>Prints a row for each depth.</summary>
    public static int Run()
    {
        using var still = no_grad();
        Console.WriteLine($"{Native.CpuInfo.Name}, {Native.CpuInfo.Cores} cores");
        Console.WriteLine($"{"GPT, width 64",-14} {"guards",7} {"µs a call",10} {"bytes",6} {"capture ms",11} {"+ compile, cold",16} {"+ compile, warm",16} {"1st in process",15}");
        var first = double.NaN;
        foreach (var layers in new[] { 1, 6, 12 })
        {
            using var scope = NewDisposeScope();
            using var module = new LanguageModules.NanoGpt(100, 64, layers, 4, 64, flash: true);
            module.eval();
            var x = randint(0, 100, [1, 16], ScalarType.Int64);
            var capture = Capture(module, x, new CompileOptions { Backend = graph => new GraphInterpreter(graph) }, out var specialization);
            first = double.IsNaN(first) ? capture : first;
            capture = Enumerable.Range(0, 5).Select(_ => Capture(module, x, new CompileOptions { Backend = graph => new GraphInterpreter(graph) }, out specialization)).Order().ElementAt(2);
            Phases(module, x);
            var folder = Directory.CreateTempSubdirectory("kernels");
            var options = new CompileOptions { Cpu = new CpuOptions { CacheFolder = folder.FullName } };
            var cold = Capture(module, x, options, out _);
            var warm = Capture(module, x, options, out _);
            folder.Delete(recursive: true);
            var (time, bytes) = Guards(specialization.Guards, x, specialization.Graph.Inputs.Length);
            Console.WriteLine($"{layers + " layers",-14} {specialization.Guards.Guards.Count,7} {time,10:F2} {bytes,6} {capture,11:F1} {cold,16:F0} {warm,16:F0} {first,15:F0}");
        }

        return 0;
    }

    private static double Capture(nn.Module<Tensor, Tensor> module, Tensor x, CompileOptions options, out Specialization specialization)
    {
        using var scope = NewDisposeScope();
        var begin = Stopwatch.GetTimestamp();
        var run = new CaptureRun(module, typeof(nn.Module<Tensor, Tensor>).GetMethod("call")!, options);
        run.Call([x]);
        specialization = run.Specialization ?? throw new InvalidOperationException($"{run.Break}");
        return Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
    }

    private static void Phases(nn.Module<Tensor, Tensor> module, Tensor x)
    {
        using var scope = NewDisposeScope();
        var watch = Stopwatch.StartNew();
        using var tracer = new Tracer(module, false);
        tracer.WatchArguments([x], [typeof(Tensor)]);
        tracer.Interpreter.Invoke(typeof(nn.Module<Tensor, Tensor>).GetMethod("call")!, module, x);
        var interpret = watch.Elapsed;
        _ = new GuardSet(tracer.Guards, tracer.Tensors.Inputs, false);
        Console.WriteLine($"  interpreted in {interpret.TotalMilliseconds:F1} ms ({tracer.Interpreter.Steps} steps), guards in {(watch.Elapsed - interpret).TotalMilliseconds:F1} ms");
    }

    /// <summary>Median of batches, and what a check allocates.</summary>
    private static (double Microseconds, long Bytes) Guards(GuardSet guards, Tensor x, int inputs)
    {
        const int Batch = 500;
        object?[] arguments = [x];
        var collected = new Tensor[inputs];
        var times = new List<double>();
        for (var i = 0; i < 40; i++)
        {
            using var scope = NewDisposeScope();
            var begin = Stopwatch.GetTimestamp();
            for (var j = 0; j < Batch; j++)
            {
                if (!guards.Holds(arguments, collected))
                {
                    throw new InvalidOperationException(guards.Failure(arguments));
                }
            }

            times.Add(Stopwatch.GetElapsedTime(begin).TotalMicroseconds / Batch);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        guards.Holds(arguments, collected);
        return (times.Order().ElementAt(times.Count / 2), GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
