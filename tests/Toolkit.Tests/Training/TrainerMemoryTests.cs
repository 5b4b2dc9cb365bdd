using Toolkit.Native;
using Toolkit.Tests.Decoding;
using Toolkit.Training;
using TorchSharp;

namespace Toolkit.Tests.Training;

/// <summary>Alone in the process, so that live tensors and native bytes are this test's own.</summary>
[CollectionDefinition(nameof(TrainerMemoryTests), DisableParallelization = true)]
[Collection(nameof(TrainerMemoryTests))]
public sealed class TrainerMemoryTests
{
    [Theory]
    [InlineData(TrainingPrecision.Float32)]
    [InlineData(TrainingPrecision.BFloat16)]
    public void Five_hundred_steps_leave_native_memory_flat_and_no_tensor_behind(TrainingPrecision precision)
    {
        using var model = TinyModel.Create();
        var options = Runs.Options with { Steps = 500, GradientAccumulation = 2, ValidationEvery = 50, ValidationTokens = 40, Precision = precision };
        // The first run also pays for what lives as long as the process or the model: the compiled script, threads, the rotary table.
        Runs.Losses(model, options with { Steps = 20 });
        var tensors = LiveTensors();
        var (warm, last) = (0L, 0L);
        using (var trainer = new Trainer(model, Runs.Corpus, options, Runs.Validation))
        {
            foreach (var step in trainer.Run())
            {
                warm = step.Step == 50 ? NativeMemory.AllocatedBytes() : warm;
                last = step.Step == 500 ? NativeMemory.AllocatedBytes() : last;
            }
        }

        Assert.True(last < warm * 1.05, $"Native memory grew from {warm} bytes at step 50 to {last} at step 500.");
        Assert.All(model.parameters(), parameter => Assert.Null(parameter.grad));
        Assert.Equal(tensors, LiveTensors());
    }

    [Fact]
    public void A_busy_garbage_collector_changes_nothing()
    {
        using var quiet = TinyModel.Create();
        using var busy = TinyModel.Create();
        var options = Runs.Options with { Steps = 100, GradientAccumulation = 2 };
        var expected = Runs.Losses(quiet, options);
        using var stop = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.KeepAlive(new byte[100_000]);
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        });
        collector.Start();
        try
        {
            Assert.Equal(expected, Runs.Losses(busy, options));
        }
        finally
        {
            stop.Cancel();
            collector.Join();
        }

        Assert.Equal(Runs.Weights(quiet), Runs.Weights(busy));
    }

    private static long LiveTensors()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return torch.Tensor.TotalCount;
    }
}
