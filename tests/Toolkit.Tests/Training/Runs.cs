using System.Runtime.InteropServices;
using Toolkit.Data;
using Toolkit.Models;
using Toolkit.Tests.Decoding;
using Toolkit.Training;

namespace Toolkit.Tests.Training;

/// <summary>A small model, a small corpus and short runs over it.</summary>
internal static class Runs
{
    private const string Text = "Fellow citizens of the Senate and House of Representatives, the state of the union is strong, and year";

    public static TokenizedCorpus Corpus { get; } = TokenizedCorpus.From(TinyModel.Tokenizer, Enumerable.Range(1790, 40).Select(year => $"{Text} {year} was good."));

    public static TokenizedCorpus Validation { get; } = TokenizedCorpus.From(TinyModel.Tokenizer, [$"{Text} 1900 was good."]);

    public static TrainingOptions Options { get; } = new() { Steps = 20, BatchSize = 4, SequenceLength = 16, LearningRate = 5e-3, WarmupSteps = 3, Seed = 11 };

    public static double[] Losses(CausalModel model, TrainingOptions options)
    {
        using var trainer = new Trainer(model, Corpus, options);
        return [.. trainer.Run().Select(step => step.Loss)];
    }

    /// <summary>Every weight, byte for byte.</summary>
    public static byte[] Weights(CausalModel model) =>
        [.. model.parameters().SelectMany(p => MemoryMarshal.AsBytes<float>(p.data<float>().ToArray()).ToArray())];
}
