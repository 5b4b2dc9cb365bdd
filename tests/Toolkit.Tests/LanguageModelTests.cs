using Toolkit.Data;
using Toolkit.Decoding;
using Toolkit.Display;
using Toolkit.Tests.Decoding;
using Toolkit.Training;

namespace Toolkit.Tests;

public sealed class LanguageModelTests
{
    [Fact]
    public void A_saved_model_generates_the_same_text_when_loaded()
    {
        var folder = Directory.CreateTempSubdirectory("toolkit-model-").FullName;
        try
        {
            using var model = LanguageModel.Create(TinyModel.Config, TinyModel.Tokenizer, seed: 9);
            model.Save(folder);
            using var loaded = LanguageModel.Load(folder);
            Assert.Equal(model.Generate(TinyModel.Prompt, tokens: 30, seed: 4), loaded.Generate(TinyModel.Prompt, tokens: 30, seed: 4));
            Assert.Equal(model.ToString(), loaded.ToString());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_tokenizer_larger_than_the_model_is_refused()
    {
        var tooSmall = TinyModel.Config with { VocabularySize = 100 };
        Assert.Contains("vocabulary of 100", Assert.Throws<ArgumentException>(() => LanguageModel.Create(tooSmall, TinyModel.Tokenizer)).Message, StringComparison.Ordinal);
        var folder = Directory.CreateTempSubdirectory("toolkit-model-").FullName;
        try
        {
            using (var decoder = TinyModel.Create(tooSmall))
            {
                decoder.Save(folder);
            }

            TinyModel.Tokenizer.Save(folder);
            Assert.Contains(folder, Assert.Throws<ArgumentException>(() => LanguageModel.Load(folder)).Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Training_lowers_the_loss_that_evaluation_sees()
    {
        using var model = LanguageModel.Create(TinyModel.Config, TinyModel.Tokenizer);
        string[] documents = [.. Enumerable.Repeat("My fellow citizens, the state of the union is strong.", 40)];
        var before = model.Evaluate(documents);
        var options = new TrainingOptions { Steps = 12, BatchSize = 4, SequenceLength = 32, LearningRate = 1e-2, WarmupSteps = 1, PeakFlopsPerSecond = 1e12 };
        var steps = model.Train(TokenizedCorpus.From(model.Tokenizer, documents), options).ToList();
        Assert.Equal(12, steps.Count);
        Assert.All(steps, step => Assert.NotNull(step.ModelFlopsUtilization));
        Assert.True(model.Evaluate(documents).BitsPerByte < before.BitsPerByte * 0.8);
    }

    [Fact]
    public void A_run_that_was_stopped_is_continued_on_the_saved_model()
    {
        var folder = Directory.CreateTempSubdirectory("toolkit-model-").FullName;
        try
        {
            var corpus = Corpus.FromText("speech", Enumerable.Range(0, 40).Select(i => $"My fellow citizens, the state of the union is strong in year {i}."));
            var options = new TrainingOptions { Steps = 8, BatchSize = 2, SequenceLength = 32, PeakFlopsPerSecond = 1e12, CheckpointFolder = folder };
            using var whole = LanguageModel.Create(TinyModel.Config, TinyModel.Tokenizer, seed: 3);
            var expected = whole.Train(corpus, options with { CheckpointFolder = null }).Select(step => step.Loss).ToArray();

            using var stop = new CancellationTokenSource();
            using (var first = LanguageModel.Create(TinyModel.Config, TinyModel.Tokenizer, seed: 3))
            {
                foreach (var step in first.Train(corpus, options, stop.Token))
                {
                    Assert.Equal(expected[step.Step - 1], step.Loss);
                    if (step.Step == 3)
                    {
                        stop.Cancel();
                    }
                }
            }

            using var loaded = LanguageModel.Load(folder);
            Assert.Equal(expected[3..], loaded.Resume(folder, corpus).Select(step => step.Loss));
            Assert.Equal(whole.Generate(TinyModel.Prompt, tokens: 20, seed: 4), loaded.Generate(TinyModel.Prompt, tokens: 20, seed: 4));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Tokens_stream_to_the_output_as_they_come()
    {
        using var model = LanguageModel.Create(TinyModel.Config, TinyModel.Tokenizer);
        var host = new Recorder();
        var previous = Output.Host;
        Output.Host = host;
        try
        {
            model.Generate(TinyModel.Prompt, tokens: 20).Stream();
        }
        finally
        {
            Output.Host = previous;
        }

        Assert.True(host.Written.Count > 1);
        Assert.Equal(model.Generate(TinyModel.Prompt, tokens: 20).ToText(), string.Concat(host.Written));
    }

    private sealed class Recorder : IDisplayHost
    {
        public List<string> Written { get; } = [];

        public void Display(MimeBundle bundle, string displayId, bool update)
        {
        }

        public void Write(string text) => Written.Add(text);
    }
}
