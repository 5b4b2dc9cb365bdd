using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Ops;
using Toolkit.Tests.Graphs.Cpu;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Benchmarks.Graphs;

/// <summary>Compiled graphs beside the same computation in TorchSharp, call by call in turn; medians.</summary>
internal static unsafe class CpuBackendBenchmark
{
    /// <summary>Runs the rows whose name contains one of the words; all without words.</summary>
    public static int Run(string[] only)
    {
        CpuBackend.WarmUp();
        using var inference = no_grad();
        Console.WriteLine($"{Native.CpuInfo.Name}, {Native.CpuInfo.Cores} cores, {Native.CpuInfo.SimdLevel}");
        Console.WriteLine($"{"row",-44} {"TorchSharp",12} {"compiled",12} {"ratio",7}   of medians, then of least times");
        bool Wanted(string name) => only.Length == 0 || only.Any(word => name.Contains(word, StringComparison.Ordinal));
        foreach (var (name, rows, columns) in new[] { ("256x256", 256, 256), ("1024x1024", 1024, 1024), ("4096x2048", 4096, 2048) })
        {
            Pointwise(name, rows, columns, Wanted);
            Norms(name, rows, columns, Wanted);
        }

        foreach (var (name, make, input) in BenchmarkModules.All().Where(entry => Wanted("graphs-modules") || Wanted(entry.Name)))
        {
            Module(name, make, input);
        }

        if (Wanted("decode 6x256"))
        {
            Decode("decode 6x256 f32", new LlamaStep(6, 256, 8, 2, 688, 4096, 256, ScalarType.Float32), 100);
        }

        if (Wanted("decode bf16"))
        {
            Decode("decode bf16 2x2048", new LlamaStep(2, 2048, 16, 4, 5632, 8192, 256, ScalarType.BFloat16), 20);
        }

        return 0;
    }

    private static void Pointwise(string name, int rows, int columns, Func<string, bool> wanted)
    {
        var (x, y) = (randn(rows, columns), randn(rows, columns));
        if (wanted("pointwise"))
        {
            var g = new GraphBuilder();
            var (a, b) = (Input(g, x), Input(g, y));
            var z = g.Add("aten::mul.Tensor", g.Add("aten::tanh", g.Add("aten::add.Tensor", g.Add("aten::mul.Scalar", a, 0.5), b)), g.Add("aten::sigmoid", a));
            Row($"pointwise {name}: tanh(x/2 + y)*sigmoid(x)", g.Build([z]), [x, y], () => (x * 0.5 + y).tanh() * x.sigmoid());
            g = new GraphBuilder();
            (a, b) = (Input(g, x), Input(g, y));
            Row($"pointwise {name}: gelu(x + y)*y + x", g.Build([g.Add("aten::add.Tensor", g.Add("aten::mul.Tensor", g.Add("aten::gelu", g.Add("aten::add.Tensor", a, b)), b), a)]), [x, y], () => (nn.functional.gelu(x + y) * y) + x);
            g = new GraphBuilder();
            (a, b) = (Input(g, x), Input(g, y));
            Row($"pointwise {name}: silu(x)*y", g.Build([g.Add("aten::mul.Tensor", g.Add("aten::silu", a), b)]), [x, y], () => nn.functional.silu(x) * y);
        }
    }

    private static void Norms(string name, int rows, int columns, Func<string, bool> wanted)
    {
        var (x, y, w, b) = (randn(rows, columns), randn(rows, columns), randn(columns), randn(columns));
        if (wanted("norm"))
        {
            var g = new GraphBuilder();
            var (gx, gy, gw, gb) = (Input(g, x), Input(g, y), Input(g, w), Input(g, b));
            var n = g.Add("aten::layer_norm", g.Add("aten::add.Tensor", gx, gy), new long[] { columns }, gw, gb, 1e-5);
            Row($"norm {name}: gelu(layer_norm(x + y))", g.Build([g.Add("aten::gelu", n)]), [x, y, w, b], () => nn.functional.gelu(nn.functional.layer_norm(x + y, [columns], w, b, 1e-5)));
            g = new GraphBuilder();
            (gx, gw, gb) = (Input(g, x), Input(g, w), Input(g, b));
            n = g.Add("aten::layer_norm", gx, new long[] { columns }, gw, gb, 1e-5);
            Row($"norm {name}: gelu(layer_norm(x))", g.Build([g.Add("aten::gelu", n)]), [x, w, b], () => nn.functional.gelu(nn.functional.layer_norm(x, [columns], w, b, 1e-5)));
            g = new GraphBuilder();
            (gx, gy, gw, gb) = (Input(g, x), Input(g, y), Input(g, w), Input(g, b));
            var sum = g.Add("aten::add.Tensor", gx, gy);
            n = g.Add("aten::layer_norm", sum, new long[] { columns }, gw, gb, 1e-5);
            Row($"norm {name}: x + y and layer_norm(x + y)", g.Build([sum, n]), [x, y, w, b], () => nn.functional.layer_norm(x + y, [columns], w, b, 1e-5));

            // The same tensors come and go, nothing is reduced: what memory alone takes of the row above.
            g = new GraphBuilder();
            (gx, gy, gw, gb) = (Input(g, x), Input(g, y), Input(g, w), Input(g, b));
            sum = g.Add("aten::add.Tensor", gx, gy);
            Row($"norm {name}: x + y and (x + y)*w + b", g.Build([sum, g.Add("aten::add.Tensor", g.Add("aten::mul.Tensor", sum, gw), gb)]), [x, y, w, b], () => ((x + y) * w) + b);
            g = new GraphBuilder();
            (gx, gy, gw) = (Input(g, x), Input(g, y), Input(g, w));
            var m = g.Add("aten::rsqrt", g.Add("aten::add.Scalar", g.Add("aten::mean.dim", g.Add("aten::square", gx), new long[] { -1 }, true), 1e-5));
            var r = g.Add("aten::mul.Tensor", g.Add("aten::mul.Tensor", gx, m), gw);
            Row($"norm {name}: silu(rms_norm(x))*y", g.Build([g.Add("aten::mul.Tensor", g.Add("aten::silu", r), gy)]), [x, y, w], () => nn.functional.silu(x * (x.square().mean([-1], true) + 1e-5).rsqrt() * w) * y);
            g = new GraphBuilder();
            (gx, gy) = (Input(g, x), Input(g, y));
            Row($"norm {name}: softmax(x*0.1 + y)", g.Build([g.Add("aten::_softmax", g.Add("aten::add.Tensor", g.Add("aten::mul.Scalar", gx, 0.1), gy), -1L, false)]), [x, y], () => (x * 0.1 + y).softmax(-1));
        }
    }

    /// <summary>A module beside itself compiled; what it computes is compared too.</summary>
    private static void Module(string name, Func<nn.Module<Tensor, Tensor>> make, Func<Tensor> input)
    {
        using var module = make();
        module.eval();
        using var x = input();
        var watch = Stopwatch.StartNew();
        using var compiled = module.Compile(x);
        var milliseconds = watch.Elapsed.TotalMilliseconds;
        using (NewDisposeScope())
        {
            var (expected, actual) = (module.forward(x), compiled.forward(x));
            var error = ((expected - actual).abs().max() / expected.abs().max()).item<float>();
            if (!(error < 1e-5))
            {
                Console.WriteLine($"{name}: WRONG by {error}");
            }
        }

        var (slow, fast) = Interleaved(() => module.forward(x), () => [compiled.forward(x)], 60);
        Print(name, slow, fast);
        var report = compiled.Explain();
        var executable = report.Graphs.Length == 0 ? null : (compiled.Executable as CompiledGraph)?.Executable as CpuExecutable;
        Console.WriteLine(executable is null
            ? $"    NOT COMPILED: {(report.Graphs.Length == 0 ? report.ToString() : (compiled.Executable as CompiledGraph)?.WhyInterpreted ?? compiled.Executable.GetType().Name)}"
            : $"    {milliseconds:F0} ms to compile, {executable.Kernels.Count} kernels, {executable.LibTorchProducts} products, fallbacks [{string.Join(' ', executable.FallbackCalls.GroupBy(call => call.Node.Operator.Name).Select(group => $"{group.Count()} {group.Key}"))}], copies [{string.Join(' ', executable.LayoutCopies)}]");
    }

    private static void Decode(string name, LlamaStep step, int rounds)
    {
        using var own = step;
        var folder = Directory.CreateTempSubdirectory("kernels").FullName;
        var (cold, _) = Compile(step, folder);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        var (warm, origin) = Compile(step, folder);
        Directory.Delete(folder, recursive: true);
        using var executable = CpuBackend.Compile(step.Graph(), new CpuOptions { CacheFolder = null });
        var (id, position, positions) = (tensor(new long[] { 7 }), tensor(new long[] { 100 }), arange(256));
        var inputs = step.Inputs(id, position, positions);
        var (eager, compiled) = Interleaved(() => step.Eager(id, 100), () => executable.Run(inputs), rounds);
        Print(name, eager, compiled);
        var (read, whole) = Bandwidth(step.WeightBytes, () => executable.Run(inputs), 3 * rounds);
        Console.WriteLine($"    in turn with reading as many bytes: {step.WeightBytes / whole.Median / 1e9:F2} of {step.WeightBytes / read.Median / 1e9:F2} GB/s = {read.Median / whole.Median:P0} (medians), "
            + $"{step.WeightBytes / whole.Least / 1e9:F2} of {step.WeightBytes / read.Least / 1e9:F2} GB/s = {read.Least / whole.Least:P0} (least times)");
        Console.WriteLine($"    compiled in {cold:F0} ms, again in {warm:F0} ms ({origin}), {executable.Kernels.Count} kernels, {executable.FallbackCalls.Count} fallbacks, arena {executable.ArenaBytes} bytes; "
            + $"weights {step.WeightBytes / 1e6:F0} MB");
        executable.Profile(inputs, 10);
        foreach (var kernel in executable.Kernels.OrderByDescending(kernel => kernel.Time).Take(8))
        {
            Console.WriteLine($"    {kernel.Name,-20} {kernel.Calls,3} calls {kernel.Time!.Value.TotalMicroseconds,9:F1} us {kernel.Bytes / kernel.Time.Value.TotalSeconds / 1e9,7:F2} GB/s  {kernel.Nodes[0][0].Operator.Name}…{kernel.Nodes[0][^1].Operator.Name}");
        }
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static (double Milliseconds, KernelOrigin Origin) Compile(LlamaStep step, string folder)
    {
        var watch = Stopwatch.StartNew();
        using var executable = CpuBackend.Compile(step.Graph(), new CpuOptions { CacheFolder = folder });
        return (watch.Elapsed.TotalMilliseconds, executable.KernelOrigin);
    }

    private static Value Input(GraphBuilder g, Tensor tensor) => g.Input(TensorType.Of(tensor), GraphInputKind.Argument, $"x{g.Inputs.Count}");

    private static void Row(string name, Graph graph, Tensor[] inputs, Func<Tensor> eager)
    {
        using var executable = CpuBackend.Compile(graph, new CpuOptions { CacheFolder = null });
        var (slow, fast) = Interleaved(eager, () => executable.Run(inputs), 40);
        Print(name, slow, fast);
    }

    private static void Print(string name, Times eager, Times compiled) => Console.WriteLine(
        $"{name,-44} {eager.Median * 1e6,9:F1} us {compiled.Median * 1e6,9:F1} us {eager.Median / compiled.Median,6:F2}x   least {eager.Least * 1e6,9:F1} us {compiled.Least * 1e6,9:F1} us {eager.Least / compiled.Least,6:F2}x");

    private static (Times Eager, Times Compiled) Interleaved(Func<Tensor> eager, Func<Tensor[]> compiled, int rounds)
    {
        var (slow, fast) = (new List<double>(), new List<double>());
        for (var i = -45; i < rounds; i++)
        {
            if (i == -5)
            {
                Settle();
            }

            foreach (var (work, times) in new (Action, List<double>)[] { (() => eager(), slow), (() => compiled(), fast) })
            {
                using var scope = NewDisposeScope();
                var begin = Stopwatch.GetTimestamp();
                work();
                if (i >= 0)
                {
                    times.Add(Stopwatch.GetElapsedTime(begin).TotalSeconds);
                }
            }
        }

        return (Times.Of(slow), Times.Of(fast));
    }

    /// <summary>Waits until .NET has optimized what ran often, at most three seconds: it does so in the background, on a core that libtorch's threads wait for.</summary>
    private static void Settle()
    {
        for (var i = 0; i < 30; i++)
        {
            var before = Environment.CpuUsage.TotalTime;
            Thread.Sleep(100);
            if (Environment.CpuUsage.TotalTime - before < TimeSpan.FromMilliseconds(5))
            {
                return;
            }
        }
    }

    /// <summary>Times in which all cores together read some bytes of memory, and in which something else runs that reads as many, in turn: whatever else the machine does slows both.</summary>
    private static (Times Read, Times Own) Bandwidth(long bytes, Func<Tensor[]> work, int rounds)
    {
        bytes = bytes / 65536 * 65536;
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        NativeMemory.Fill(memory, (nuint)bytes, 1);
        var (read, own) = (new List<double>(), new List<double>());
        for (var i = -3; i < rounds; i++)
        {
            using var scope = NewDisposeScope();
            var begin = Stopwatch.GetTimestamp();
            CpuKernel.Run(bytes / 65536, Math.Max(1, bytes / 65536 / 64), &Read, memory);
            var middle = Stopwatch.GetTimestamp();
            work();
            var end = Stopwatch.GetTimestamp();
            if (i >= 0)
            {
                read.Add(Stopwatch.GetElapsedTime(begin, middle).TotalSeconds);
                own.Add(Stopwatch.GetElapsedTime(middle, end).TotalSeconds);
            }
        }

        NativeMemory.AlignedFree(memory);
        return (Times.Of(read), Times.Of(own));
    }

    [UnmanagedCallersOnly]
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
    private static void Read(long begin, long end, void* context)
    {
        var (p, stop) = (begin * 16384, end * 16384);
        Vector256<float> a = default, b = default, c = default, d = default;
        for (; p < stop; p += 32)
        {
            a += Vector256.Load((float*)context + p);
            b += Vector256.Load((float*)context + p + 8);
            c += Vector256.Load((float*)context + p + 16);
            d += Vector256.Load((float*)context + p + 24);
        }

        if (Vector256.Sum(a + b + c + d) == 0.12345f)
        {
            throw new InvalidOperationException("cannot be");
        }
    }

    /// <summary>Seconds: what is usual, and what was possible once when nothing else ran.</summary>
    private readonly record struct Times(double Median, double Least)
    {
        public static Times Of(List<double> seconds) => new(seconds.Order().ElementAt(seconds.Count / 2), seconds.Min());
    }
}
