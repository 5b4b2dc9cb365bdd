using Toolkit.Native;
using Toolkit.Tests.Decoding;
using Toolkit.Training;
using TorchSharp;

namespace Toolkit.Tests.Training;

/// <summary>Alone in the process, so that live tensors and native bytes are this test's own.</summary>
[CollectionDefinition(nameof(TrainerMemoryTests), DisableParallelization = true)]
[Collection(nameof(TrainerMemoryTests))]
public sealed class TrainerMemoryTests : IDisposable
{
    private readonly int _threads = torch.get_num_threads();

    // Operators this small gain nothing from a second thread, and lose much where other programs use the cores.
    public TrainerMemoryTests() => torch.set_num_threads(1);

    public void Dispose() => torch.set_num_threads(_threads);

    [Theory]
    [InlineData(500, TrainingPrecision.Float32)]
    [InlineData(200, TrainingPrecision.BFloat16)]
    public void Hundreds_of_steps_leave_native_memory_flat_and_no_tensor_behind(int steps, TrainingPrecision precision)
    {
        using var model = TinyModel.Create();
        var options = Runs.Options with { Steps = steps, ValidationEvery = 50, ValidationTokens = 40, Precision = precision };
        // The first run also pays for what lives as long as the process or the model: the compiled script, threads, the rotary table.
        Train(options with { Steps = 20 });
        var tensors = LiveTensors.Count();
        var (warm, last) = Train(options);
        Assert.True(last < warm * 1.05, $"Native memory grew from {warm} bytes at step 50 to {last} at the last.");
        Assert.All(model.parameters(), parameter => Assert.Null(parameter.grad));
        // TorchSharp counts a tensor that became a parameter twice and forgets it once: so it is with the copy of the model in bfloat16.
        Assert.Equal(tensors + (precision == TrainingPrecision.BFloat16 ? model.parameters().Count() : 0), LiveTensors.Count());

        (long Warm, long Last) Train(TrainingOptions options)
        {
            using var trainer = new Trainer(model, Runs.Corpus, options, Runs.Validation);
            var bytes = trainer.Run().Select(step => step.Step == 50 || step.Step == step.TotalSteps ? NativeMemory.AllocatedBytes() : 0).Where(b => b > 0).ToArray();
            return (bytes[0], bytes[^1]);
        }
    }

    [Fact]
    public void Memory_is_known_by_kind()
    {
        using var model = TinyModel.Create();
        using var trainer = new Trainer(model, Runs.Corpus, Runs.Options with { Steps = 3 });
        var memory = trainer.Run().Last().Memory!;
        Assert.Equal(model.ParameterBytes, memory.Weights);
        Assert.InRange(memory.Gradients, model.ParameterBytes, model.ParameterBytes * 1.05);
        Assert.InRange(memory.Optimizer, 2 * model.ParameterBytes, 2.1 * model.ParameterBytes);
        // Each of two blocks keeps at least the inputs of its seven linears for the backward pass.
        Assert.True(memory.Activations > 2 * 7 * 64 * 32 * sizeof(float), $"{memory.Activations} bytes");
    }

    [Fact]
    public void A_busy_garbage_collector_changes_nothing()
    {
        using var quiet = TinyModel.Create();
        using var busy = TinyModel.Create();
        var options = Runs.Options with { Steps = 100, GradientAccumulation = 2 };
        var expected = Runs.Losses(quiet, options);
        using (new BusyCollector())
        {
            Assert.Equal(expected, Runs.Losses(busy, options));
        }

        Assert.Equal(Runs.Weights(quiet), Runs.Weights(busy));
    }
}
