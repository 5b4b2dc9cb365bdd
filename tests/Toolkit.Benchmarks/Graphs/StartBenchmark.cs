using System.Diagnostics;
using System.Globalization;
using Toolkit.Decoding;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Benchmarks.Graphs;

/// <summary>
/// Capture and compile at the start of a process, as who compiles for the first time waits for it: in new processes, from the call of Compile to its return, nothing warmed up.
/// Cold: no kernels on disk; again: the same once more in that process; second start: a new process finds the kernels on disk; third start: it finds the profile of the second one too.
/// </summary>
internal static class StartBenchmark
{
    private const int Processes = 5;

    /// <summary>Prints a row for each kind: medians, and the range.</summary>
    public static int Run(string[] only)
    {
        Console.WriteLine($"{Native.CpuInfo.Name}, {Native.CpuInfo.Cores} cores; {Processes} processes each");
        Console.WriteLine($"{"row",-24} {"cold",22} {"again",22} {"second start",22} {"third start",22}");
        foreach (var name in new[] { "llama-6x256", "llama-6x256-decode" }.Where(name => only.Length == 0 || only.Contains(name)))
        {
            var (cold, again, second, third) = (new double[Processes], new double[Processes], new double[Processes], new double[Processes]);
            for (var i = 0; i < Processes; i++)
            {
                var folder = Directory.CreateTempSubdirectory("kernels").FullName;
                if (StartProfile.File is { } profile)
                {
                    File.Delete(profile);
                }

                (cold[i], again[i]) = InNewProcess(name, folder);
                (second[i], _) = InNewProcess(name, folder);
                (third[i], _) = InNewProcess(name, folder);
                Directory.Delete(folder, recursive: true);
            }

            Console.WriteLine($"{name,-24} {Text(cold),22} {Text(again),22} {Text(second),22} {Text(third),22}");
        }

        return 0;
    }

    /// <summary>What the new process does: compiles twice, and prints how long both took.</summary>
    public static int Compile(string name, string folder)
    {
        var options = new CompileOptions { Cpu = new CpuOptions { CacheFolder = folder } };
        using var still = no_grad();
        var times = name == "llama-6x256" ? Module(options) : Decoding(options);
        Console.WriteLine(FormattableString.Invariant($"{times.Cold} {times.Again}"));
        return 0;
    }

    private static (double Cold, double Again) Module(CompileOptions options)
    {
        using var scope = NewDisposeScope();
        using var module = BenchmarkModules.Llama(6);
        module.eval();
        var x = randn(1, 16, 256);
        module.forward(x);
        return (Time(() => module.Compile(x, options)), Time(() => module.Compile(x, options)));
    }

    private static (double Cold, double Again) Decoding(CompileOptions options)
    {
        using var model = Decoder.Create(DecoderConfig.Llama(6, 256, 8, 2, 4096, maxPositions: 512), seed: 1);
        return (Step(), Step());

        double Step()
        {
            using var plain = new DecodeSession(model, 120);
            plain.Feed([1, 2, 3]);
            plain.Feed([4]);
            var begin = Stopwatch.GetTimestamp();
            using var compiled = model.CompileDecoding(options);
            using var session = new DecodeSession(model, 120, compiled);
            session.Feed([1, 2, 3]);
            for (var id = 4; id < 7; id++)
            {
                session.Feed([id]);
            }

            return Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        }
    }

    private static double Time(Func<IDisposable> compile)
    {
        var begin = Stopwatch.GetTimestamp();
        var compiled = compile();
        var time = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        compiled.Dispose();
        return time;
    }

    private static (double Cold, double Again) InNewProcess(string name, string folder)
    {
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["graphs-start-in", name, folder]) { RedirectStandardOutput = true })!;
        var times = process.StandardOutput.ReadToEnd().Split(' ').Select(time => double.Parse(time, CultureInfo.InvariantCulture)).ToArray();
        process.WaitForExit();
        return (times[0], times[1]);
    }

    private static string Text(double[] times) => $"{times.Order().ElementAt(times.Length / 2):F0} ({times.Min():F0}-{times.Max():F0}) ms";
}
