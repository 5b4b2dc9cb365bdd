using Toolkit.Data;
using Toolkit.Evaluation;
using Toolkit.Tests.Decoding;
using Toolkit.Training;
using TorchSharp;

namespace Toolkit.Tests.Training;

public sealed class TrainerTests
{
    [Fact]
    public void Steps_are_records_of_what_happened_and_the_loss_falls()
    {
        using var model = TinyModel.Create();
        var options = Runs.Options with { Steps = 40, PeakFlopsPerSecond = 1e12, ValidationEvery = 15, ValidationTokens = 30 };
        using var trainer = new Trainer(model, Runs.Corpus, options, Runs.Validation);
        var steps = trainer.Run().ToArray();
        Assert.Equal(Enumerable.Range(1, 40), steps.Select(s => s.Step));
        Assert.All(steps, s => Assert.Equal((40, s.Step * 64L), (s.TotalSteps, s.Tokens)));
        Assert.Equal(Enumerable.Range(1, 40).Select(new LearningRateSchedule(5e-3, 5e-4, 3, 40).At), steps.Select(s => s.LearningRate));
        Assert.InRange(steps[0].Loss, Math.Log(TinyModel.Config.VocabularySize) - 0.5, Math.Log(TinyModel.Config.VocabularySize) + 0.5);
        Assert.True(steps[^1].Loss < steps[0].Loss * 0.7, $"loss {steps[0].Loss} became {steps[^1].Loss}");
        Assert.All(steps, s => Assert.True(s.GradientNorm > 0 && s.TokensPerSecond > 0));
        Assert.All(steps, s => Assert.Equal(3 * model.FlopsPerToken(16) * s.TokensPerSecond / 1e12, s.ModelFlopsUtilization!.Value, 1e-9));
        Assert.Equal([15, 30, 40], steps.Where(s => s.Validation is not null).Select(s => s.Step));
        Assert.Equal(Perplexity.Evaluate(model, Runs.Validation, 16, 4, 30), steps[^1].Validation);
        Assert.True(steps.Zip(steps.Skip(1)).All(pair => pair.First.Elapsed < pair.Second.Elapsed));
    }

    [Fact]
    public void Micro_batches_make_the_same_step_as_one_large_batch()
    {
        using var large = TinyModel.Create();
        using var small = TinyModel.Create();
        var options = Runs.Options with { Steps = 5, BatchSize = 8, Epsilon = 1e-4 };
        var expected = Runs.Losses(large, options);
        var losses = Runs.Losses(small, options with { BatchSize = 2, GradientAccumulation = 4 });
        Assert.All(expected.Zip(losses), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        Assert.All(large.parameters().Zip(small.parameters()), pair =>
            Assert.InRange((pair.First - pair.Second).abs().max().item<float>(), 0, 1e-4f));
    }

    [Fact]
    public void The_first_step_is_what_autograd_and_the_optimizer_give_by_hand()
    {
        using var scope = torch.NewDisposeScope();
        using var model = TinyModel.Create();
        using var twin = TinyModel.Create();
        var options = Runs.Options with { Steps = 1, WarmupSteps = 0, GradientClip = 0.05, MinLearningRate = 5e-3, Epsilon = 1e-4 };
        using var trainer = new Trainer(model, Runs.Corpus, options);
        var step = trainer.Run().Single();

        using var batch = new SequencePacker(Runs.Corpus, 4, 16, options.Seed).Next();
        var loss = torch.nn.functional.cross_entropy(twin.forward(batch.Inputs).flatten(0, 1), batch.Targets.flatten());
        loss.backward();
        var norm = Math.Sqrt(twin.parameters().Sum(p => p.grad!.pow(2).sum().item<float>()));
        Assert.Equal(loss.item<float>(), step.Loss, 1e-5);
        Assert.Equal(norm, step.GradientNorm, 1e-4);
        Assert.True(norm > options.GradientClip);
        foreach (var (expected, actual) in twin.parameters().Zip(model.parameters()))
        {
            // At the first step both corrected moments are the gradient itself and its square.
            var g = expected.grad! * (options.GradientClip / norm);
            var decay = expected.dim() >= 2 ? options.WeightDecay : 0;
            var wanted = (expected * (1 - (5e-3 * decay))) - (g / (g.abs() + options.Epsilon) * 5e-3);
            Assert.InRange((wanted - actual).abs().max().item<float>(), 0, 2e-5f);
        }
    }

    [Fact]
    public void Half_precision_learns_as_full_precision_does()
    {
        using var full = TinyModel.Create();
        using var half = TinyModel.Create();
        var options = Runs.Options with { Steps = 60 };
        var expected = Runs.Losses(full, options);
        var losses = Runs.Losses(half, options with { Precision = TrainingPrecision.BFloat16 });
        Assert.NotEqual(expected, losses);
        Assert.All(expected.Zip(losses), pair => Assert.InRange(pair.Second, pair.First * 0.95, pair.First * 1.05));
        Assert.True(losses[^1] < losses[0] * 0.6);
        Assert.All(half.parameters(), p => Assert.Equal(torch.ScalarType.Float32, p.dtype));
    }

    [Fact]
    public void The_same_seed_gives_the_same_run_and_another_one_another()
    {
        using var a = TinyModel.Create();
        using var b = TinyModel.Create();
        using var c = TinyModel.Create();
        var losses = Runs.Losses(a, Runs.Options);
        Assert.Equal(losses, Runs.Losses(b, Runs.Options));
        Assert.NotEqual(losses, Runs.Losses(c, Runs.Options with { Seed = 12 }));
        Assert.Equal(Runs.Weights(a), Runs.Weights(b));
    }

    [Fact]
    public void A_loss_that_is_not_a_number_stops_the_run_before_it_reaches_the_weights()
    {
        using var model = TinyModel.Create();
        using var trainer = new Trainer(model, Runs.Corpus, Runs.Options);
        using var run = trainer.Run().GetEnumerator();
        Assert.True(run.MoveNext() && run.MoveNext());
        var loss = run.Current.Loss;
        var weights = Runs.Weights(model);
        var position = trainer.Position;
        using (torch.no_grad())
        using (var scale = model.FinalNorm!.Weight.clone())
        {
            model.FinalNorm.Weight.fill_(float.NaN);
            var error = Assert.Throws<TrainingDivergedException>(() => run.MoveNext());
            Assert.Equal((3, 5e-3), (error.Step, error.LearningRate));
            Assert.Equal(loss, error.LastLosses[^1]);
            Assert.Contains("step 3 is NaN at learning rate 0.005", error.Message, StringComparison.Ordinal);
            model.FinalNorm.Weight.copy_(scale);
        }

        Assert.Equal(weights, Runs.Weights(model));
        Assert.Equal((2, position), (trainer.Step, trainer.Position));
        Assert.Equal(3, trainer.Run().First().Step);
    }

    [Fact]
    public void What_does_not_fit_together_is_refused_with_the_numbers()
    {
        using var model = TinyModel.Create();
        string Refused(TokenizedCorpus corpus, TrainingOptions options) => Assert.Throws<ArgumentException>(() => new Trainer(model, corpus, options)).Message;
        Assert.Contains("sequence length 500 is more than the 128", Refused(Runs.Corpus, Runs.Options with { SequenceLength = 500 }), StringComparison.Ordinal);
        Assert.Contains("needs 17", Refused(TokenizedCorpus.FromIds([1, 2, 3], new int[9]), Runs.Options), StringComparison.Ordinal);
        Assert.Contains("id 5000", Refused(TokenizedCorpus.FromIds([.. Enumerable.Range(4000, 1001)], new int[6000]), Runs.Options), StringComparison.Ordinal);
        Assert.Contains("steps 0", Refused(Runs.Corpus, Runs.Options with { Steps = 0 }), StringComparison.Ordinal);
    }
}
