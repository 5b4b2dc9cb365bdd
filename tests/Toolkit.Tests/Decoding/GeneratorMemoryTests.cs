using Toolkit.Decoding;
using Toolkit.Native;
using TorchSharp;

namespace Toolkit.Tests.Decoding;

/// <summary>Alone in the process, so that live tensors and native bytes are this test's own.</summary>
[CollectionDefinition(nameof(GeneratorMemoryTests), DisableParallelization = true)]
[Collection(nameof(GeneratorMemoryTests))]
public sealed class GeneratorMemoryTests
{
    private static readonly GenerationOptions Options = new()
    {
        MaxTokens = 1000,
        StopAtEndOfText = false,
        Sampling = new SamplingOptions { TopP = 0.9, RepetitionPenalty = 1.2, Seed = 3 },
    };

    [Fact]
    public void A_thousand_tokens_leave_native_memory_flat_and_no_tensor_behind()
    {
        using var model = TinyModel.Create(TinyModel.Config with { MaxPositions = 1100 });
        // The first thousand also pay for what the runtime compiles and the threads that libtorch starts.
        Assert.Equal(1000, Generator.Generate(model, TinyModel.Tokenizer, TinyModel.Prompt, Options).Count());

        var tensors = LiveTensors.Count();
        var (count, warm, last) = (0, 0L, 0L);
        foreach (var _ in Generator.Generate(model, TinyModel.Tokenizer, TinyModel.Prompt, Options))
        {
            count++;
            (warm, last) = count == 100 ? (NativeMemory.AllocatedBytes(), 0) : count == 1000 ? (warm, NativeMemory.AllocatedBytes()) : (warm, last);
        }

        Assert.Equal(1000, count);
        Assert.True(last < warm * 1.05, $"Native memory grew from {warm} bytes at token 100 to {last} at token 1000.");
        Assert.Equal(tensors, LiveTensors.Count());
    }

    [Fact]
    public void An_enumeration_that_stops_early_frees_its_cache()
    {
        using var model = TinyModel.Create();
        Assert.Single(Generator.Generate(model, TinyModel.Tokenizer, TinyModel.Prompt, Options).Take(1));
        var tensors = LiveTensors.Count();
        Assert.Equal(5, Generator.Generate(model, TinyModel.Tokenizer, TinyModel.Prompt, Options).Take(5).Count());
        Assert.Equal(tensors, torch.Tensor.TotalCount);
    }

    [Fact]
    public void A_busy_garbage_collector_changes_nothing()
    {
        using var model = TinyModel.Create(TinyModel.Config with { MaxPositions = 400 });
        var options = Options with { MaxTokens = 300 };
        var quiet = Generator.Generate(model, TinyModel.Tokenizer, TinyModel.Prompt, options).ToArray();
        using (new BusyCollector())
        {
            Assert.Equal(quiet, Generator.Generate(model, TinyModel.Tokenizer, TinyModel.Prompt, options));
        }
    }
}
