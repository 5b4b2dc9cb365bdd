using Toolkit.Checkpoints;
using Toolkit.Models;
using Toolkit.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>Alone in the process, so that native bytes are this test's own.</summary>
[CollectionDefinition(nameof(GgufMemoryTests), DisableParallelization = true)]
[Collection(nameof(GgufMemoryTests))]
public sealed class GgufMemoryTests : IDisposable
{
    private const long Slack = 4 << 20;

    private static readonly DecoderConfig Config = DecoderConfig.Llama(3, 1024, 16, 8, 8192, feedForwardWidth: 2816);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gguf-memory");

    private string FilePath => Path.Combine(_folder.FullName, "model.gguf");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(GgufType.Q8_0, false)]
    [InlineData(GgufType.Q8_0, true)]
    [InlineData(GgufType.F32, false)]
    [InlineData(GgufType.F32, true)]
    public void LoadingTakesTheModelAndOneTensor(GgufType type, bool map)
    {
        long bytes, largest;
        using (var scope = NewDisposeScope())
        {
            using var model = Decoder.Create(Config, 1);
            (bytes, largest) = (model.ParameterBytes, model.parameters().Max(parameter => parameter.numel() * parameter.ElementSize));
            model.SaveGguf(FilePath, type);
            Decoder.Load(FilePath, map: map).Dispose(); // what the runtime needs the first time
        }

        var peak = Peak(() => Decoder.Load(FilePath, map: map).Dispose());
        TestContext.Current.TestOutputHelper?.WriteLine($"model {bytes / 1e6:0.0} MB, largest tensor {largest / 1e6:0.0} MB, peak {peak / 1e6:0.0} MB");
        Assert.InRange(peak, type == GgufType.F32 && map ? 0 : bytes, bytes + largest + Slack);
    }

    [Fact]
    public void SavingTakesOneTensor()
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Create(Config, 1);
        var largest = model.parameters().Max(parameter => parameter.numel() * parameter.ElementSize);
        model.SaveGguf(FilePath, GgufType.Q8_0);
        var peak = Peak(() => model.SaveGguf(FilePath, GgufType.Q8_0));
        TestContext.Current.TestOutputHelper?.WriteLine($"largest tensor {largest / 1e6:0.0} MB, peak {peak / 1e6:0.0} MB");
        Assert.InRange(peak, 0, largest + Slack);
    }

    /// <summary>The most native bytes above those before, the least of some times: threads that earlier tests left may allocate too.</summary>
    private static long Peak(Action act) => Enumerable.Range(0, 3).Min(_ => PeakOf(act));

    /// <summary>The most native bytes above those before, looked at all the time.</summary>
    private static long PeakOf(Action act)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var (before, most, isDone) = (NativeMemory.AllocatedBytes(), 0L, false);
        var watcher = new Thread(() =>
        {
            while (!Volatile.Read(ref isDone))
            {
                most = Math.Max(most, NativeMemory.AllocatedBytes());
            }
        });
        watcher.Start();
        act();
        Volatile.Write(ref isDone, true);
        watcher.Join();
        return most - before;
    }
}
