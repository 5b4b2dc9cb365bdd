using System.Diagnostics;
using Toolkit.Decoding;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Measurement;
using Toolkit.Models;
using static TorchSharp.torch;

namespace Toolkit.Benchmarks.Graphs;

/// <summary>The engine's decoding, as it is and compiled, token by token in turn; medians. MBU is of the read bandwidth measured in the same run.</summary>
internal static class DecodeBenchmarks
{
    /// <summary>Runs the rows whose name contains one of the words; all without words.</summary>
    public static int Run(string[] only)
    {
        CpuBackend.WarmUp();
        Console.WriteLine($"{Native.CpuInfo.Name}, {Native.CpuInfo.Cores} cores, {Native.CpuInfo.SimdLevel}");
        Console.WriteLine($"{"row",-28} {"eager",12} {"compiled",12} {"ratio",7} {"MBU",6}");
        foreach (var (name, config, type) in Rows().Where(row => only.Length == 0 || only.Any(word => row.Name.Contains(word, StringComparison.Ordinal))))
        {
            using var model = Make(config, type);
            Row(name, model, 60);
        }

        return 0;
    }

    private static IEnumerable<(string Name, DecoderConfig Config, ScalarType Type)> Rows()
    {
        yield return ("Llama 6x256 f32", DecoderConfig.Llama(6, 256, 8, 2, 4096, maxPositions: 512), ScalarType.Float32);
        yield return ("Llama 12x512 f32", DecoderConfig.Llama(12, 512, 8, 8, 8192, maxPositions: 512), ScalarType.Float32);
        yield return ("Llama 2x2048 bf16 (>200 MB)", DecoderConfig.Llama(2, 2048, 16, 4, 8192, maxPositions: 512), ScalarType.BFloat16);
    }

    private static Decoder Make(DecoderConfig config, ScalarType type)
    {
        if (type == ScalarType.Float32)
        {
            return Decoder.Create(config, seed: 1);
        }

        var folder = Directory.CreateTempSubdirectory("model").FullName;
        using (var wide = Decoder.Create(config, seed: 1))
        {
            wide.Save(folder);
        }

        var model = Decoder.Load(folder, type);
        Directory.Delete(folder, recursive: true);
        return model;
    }

    private static void Row(string name, CausalModel model, int tokens)
    {
        var folder = Directory.CreateTempSubdirectory("kernels").FullName;
        var options = new CompileOptions { Cpu = new CpuOptions { CacheFolder = folder } };
        var (cold, _) = Start(model, options);
        var (warm, origin) = Start(model, options);
        using var compiled = model.CompileDecoding(options);
        using var plain = new DecodeSession(model, 120);
        using var fast = new DecodeSession(model, 120, compiled);
        int[] prompt = [.. Enumerable.Range(1, 16)];
        plain.Feed(prompt);
        fast.Feed(prompt);
        var (slow, quick) = (new List<double>(), new List<double>());
        for (var i = -5; i < tokens; i++)
        {
            var (a, b) = (Time(plain, i + 9), Time(fast, i + 9));
            if (i >= 0)
            {
                slow.Add(a);
                quick.Add(b);
            }
        }

        var (eager, one) = (slow.Order().ElementAt(tokens / 2), quick.Order().ElementAt(tokens / 2));
        var bytes = model.WeightBytesPerToken + plain.StateBytesAt(50);
        var bandwidth = MachineCeilings.Measure(refresh: true).ReadBytesPerSecond;
        Console.WriteLine($"{name,-28} {eager * 1e6,9:F1} us {one * 1e6,9:F1} us {eager / one,6:F2}x {bytes / one / bandwidth,6:P0}");
        Console.WriteLine($"    {bytes / 1e6:F1} MB a token: {bytes / one / 1e9:F2} GB/s of {bandwidth / 1e9:F2} (least time {quick.Min() * 1e6:F1} us: {bytes / quick.Min() / bandwidth:P0}); "
            + $"capture and compile {cold:F0} ms cold, {warm:F0} ms from {origin}; {compiled.Reports[0].ToString().Split('\n')[0]}");
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>Milliseconds of the call that captures and compiles.</summary>
    private static (double Milliseconds, KernelOrigin Origin) Start(CausalModel model, CompileOptions options)
    {
        using var compiled = model.CompileDecoding(options);
        using var session = new DecodeSession(model, 120, compiled);
        session.Feed([1, 2, 3]);
        session.Feed([4]);
        var watch = Stopwatch.StartNew();
        session.Feed([5]);
        return (watch.Elapsed.TotalMilliseconds, ((CpuExecutable)((CompiledGraph)compiled.Executable).Executable).KernelOrigin);
    }

    private static double Time(DecodeSession session, int id)
    {
        var begin = Stopwatch.GetTimestamp();
        session.Feed([id]);
        return Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }
}
