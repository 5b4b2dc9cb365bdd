using System.Diagnostics;
using System.Globalization;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Benchmarks.Graphs;

/// <summary>Compiled modules in files: capture and compile here, without any cache, beside loading in a new process.</summary>
internal static class ArtifactBenchmark
{
    /// <summary>Runs the rows whose name contains one of the words; all without words.</summary>
    public static int Run(string[] only)
    {
        CpuBackend.WarmUp();
        using var inference = no_grad();
        var folder = Directory.CreateTempSubdirectory("toolkit-artifacts-");
        Console.WriteLine($"{"module",-34} {"compile",10} {"save",10} {"size",10} {"load",10} {"first call",11} {"ONNX",10}");
        foreach (var (name, make, input) in BenchmarkModules.All().Where(entry => only.Length == 0 || only.Any(word => entry.Name.Contains(word, StringComparison.Ordinal))))
        {
            using var scope = NewDisposeScope();
            using var module = make();
            module.eval();
            var x = input();
            var watch = Stopwatch.StartNew();
            using var compiled = module.Compile(x, new() { Cpu = new() { CacheFolder = null } });
            var compile = watch.Elapsed;
            var path = Path.Combine(folder.FullName, "module.tkx");
            try
            {
                var save = Time(() => compiled.Save(path));
                var (load, call) = InNewProcess(path);
                Console.WriteLine($"{name,-34} {Text(compile)} {Text(save)} {new FileInfo(path).Length / 1024.0,7:F0} KB {Text(load)} {Text(call),11} {Onnx(compiled, Path.Combine(folder.FullName, "module.onnx"))}");
            }
            catch (CompiledArtifactException problem)
            {
                Console.WriteLine($"{name,-34} {Text(compile)} {problem.Message}");
            }
        }

        folder.Delete(true);
        return 0;
    }

    /// <summary>What the new process does: loads the file and calls it, and prints how long both took.</summary>
    public static int Load(string path)
    {
        using var scope = NewDisposeScope();
        ones(1).add(ones(1));
        var watch = Stopwatch.StartNew();
        using var artifact = Compiled.Load(path, new() { CacheFolder = null });
        var load = watch.Elapsed;
        var inputs = artifact.Signatures[0].Arguments.Select(argument => ones(argument.Type.Shape.ToArray(), argument.Type.DType)).ToArray();
        var call = Time(() => artifact.Run(inputs));
        Console.WriteLine(FormattableString.Invariant($"{load.TotalMilliseconds} {call.TotalMilliseconds}"));
        return 0;
    }

    private static string Onnx(ICompiledModule compiled, string path)
    {
        try
        {
            return Text(Time(() => compiled.ExportOnnx(path)));
        }
        catch (GraphException problem)
        {
            return problem.Message;
        }
    }

    private static (TimeSpan Load, TimeSpan Call) InNewProcess(string path)
    {
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["artifact-load", path]) { RedirectStandardOutput = true })!;
        var times = process.StandardOutput.ReadToEnd().Split(' ').Select(time => TimeSpan.FromMilliseconds(double.Parse(time, CultureInfo.InvariantCulture))).ToArray();
        process.WaitForExit();
        return (times[0], times[1]);
    }

    private static TimeSpan Time(Action action)
    {
        var watch = Stopwatch.StartNew();
        action();
        return watch.Elapsed;
    }

    private static string Text(TimeSpan time) => $"{time.TotalMilliseconds,7:F1} ms";
}
