using Toolkit.Display;
using Toolkit.Training;

namespace Toolkit.Tests.Display;

[Collection("Output")]
public sealed class TrainingDisplayTests : IDisposable
{
    private readonly IDisplayHost _before = Output.Host;
    private readonly RecordingHost _host = new();
    private readonly StillClock _clock = new();

    public TrainingDisplayTests() => Output.Host = _host;

    public void Dispose() => Output.Host = _before;

    [Fact]
    public void UpdatesAreAsFarApartAsTheIntervalAndTheLastIsComplete()
    {
        var steps = Samples.Steps(40);

        var returned = Ticking(steps, TimeSpan.FromMilliseconds(250)).ShowLive(time: _clock);

        Assert.Equal(steps, returned);
        // The first step, then one of four (1 s at 250 ms), then the final state.
        Assert.Equal(1 + 9 + 1, _host.Shown.Count);
        Assert.Single(_host.Shown.Select(shown => shown.Id).Distinct());
        Assert.Equal([false, .. Enumerable.Repeat(true, 10)], _host.Shown.Select(shown => shown.Update));
        Assert.Null(_host.Shown[^1].Bundle.Completion);
        Assert.All(_host.Shown.SkipLast(1), shown => Assert.NotNull(shown.Bundle.Completion));
        Assert.Contains("40/40 steps", _host.Shown[^1].Bundle.Plain);
    }

    [Fact]
    public void TheBarShowsRateAndTheTimeThatIsLeft()
    {
        var bar = new TrainingProgress([.. Samples.Steps(10, total: 30)], final: false).Bar;

        Assert.Equal(2, bar.Rate, 1e-9);
        Assert.Equal(TimeSpan.FromSeconds(10), bar.Remaining);
        Assert.Contains("10/30 steps · 2 steps/s · 10 s left · loss 0.8000 · learning rate 3e-5", bar.ToMimeBundle().Plain);
        Assert.Contains("MFU 43.0 %", bar.ToMimeBundle().Plain);
    }

    [Fact]
    public void AResumedRunCountsItsOwnStepsForTheRate()
    {
        TrainingStep[] resumed = [.. Samples.Steps(4, 30).Select(step => step with { Step = step.Step + 16 })];

        Assert.Equal(2, new TrainingProgress(resumed, final: false).Bar.Rate, 1e-9);
        Assert.Equal(TimeSpan.FromSeconds(5), new TrainingProgress(resumed, final: false).Bar.Remaining);
    }

    [Fact]
    public void AFailureShowsTheLastStateAndFlowsOn()
    {
        var failure = Assert.Throws<OperationCanceledException>(() => Failing(Samples.Steps(5, 20)).ShowLive(time: _clock));

        Assert.Equal("stop", failure.Message);
        Assert.Equal(2, _host.Shown.Count);
        Assert.Null(_host.Shown[^1].Bundle.Completion);
        Assert.Contains("5/20 steps", _host.Shown[^1].Bundle.Plain);
    }

    [Fact]
    public async Task TheAsynchronousTwinShowsTheSame()
    {
        var steps = Samples.Steps(12);
        var returned = await Asynchronous(steps).ShowLiveAsync(time: _clock, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(steps, returned);
        Assert.Equal(2, _host.Shown.Count);
        Assert.Contains("12/12 steps", _host.Shown[^1].Bundle.Plain);
    }

    [Fact]
    public void ARunWithoutStepsShowsItsEnd()
    {
        Assert.Empty(Array.Empty<TrainingStep>().ShowLive(time: _clock));
        Assert.Null(Assert.Single(_host.Shown).Bundle.Completion);
    }

    [Fact]
    public void TheDataFrameHoldsTheRecords()
    {
        var steps = Samples.Steps(6);
        steps[2] = steps[2] with { Memory = null, ModelFlopsUtilization = null, Loss = double.NaN };
        var frame = steps.ToDataFrame();

        Assert.Equal(
            ["step", "loss", "learning_rate", "gradient_norm", "tokens", "tokens_per_second", "mfu", "validation_loss", "bits_per_byte", "elapsed_seconds",
                "memory_weights_bytes", "memory_gradients_bytes", "memory_optimizer_bytes", "memory_activations_bytes", "memory_total_bytes"],
            frame.Columns.Select(column => column.Name));
        Assert.Equal(6, frame.Rows.Count);
        Assert.Equal(steps[4].Validation!.Loss, frame["validation_loss"][4]);
        Assert.Equal(steps[4].Validation!.BitsPerByte, frame["bits_per_byte"][4]);
        Assert.Null(frame["validation_loss"][0]);
        Assert.Null(frame["memory_total_bytes"][2]);
        Assert.Null(frame["mfu"][2]);
        Assert.Equal(double.NaN, frame["loss"][2]);
        Assert.Equal(Samples.Memory.Total, frame["memory_total_bytes"][0]);
        Assert.Equal(steps.Select(step => (object)step.LearningRate), Enumerable.Range(0, 6).Select(row => frame["learning_rate"][row]));
        Assert.Equal(3.0, frame["elapsed_seconds"][5]);
    }

    [Fact]
    public void TheTrackerUpdatesOnceASecondAndEndsComplete()
    {
        using (var progress = Output.Track("Merges", 100, "merges", _clock))
        {
            for (var done = 1; done <= 100; done++)
            {
                _clock.Advance(TimeSpan.FromMilliseconds(100));
                progress.Report(done);
            }
        }

        Assert.Equal(1 + 9 + 1, _host.Shown.Count);
        Assert.Contains("100/100 merges · 10 merges/s · in 10 s", _host.Shown[^1].Bundle.Plain);
        Assert.Null(_host.Shown[^1].Bundle.Completion);
    }

    [Fact]
    public void TrackedItemsPassUnchanged()
    {
        Assert.Equal([3, 1, 2], new[] { 3, 1, 2 }.Track("Documents", "documents", _clock));
        Assert.Contains("3/3 documents", _host.Shown[^1].Bundle.Plain);
    }

    private static IEnumerable<TrainingStep> Failing(TrainingStep[] steps)
    {
        foreach (var step in steps)
        {
            yield return step;
        }

        throw new OperationCanceledException("stop");
    }

    private static async IAsyncEnumerable<TrainingStep> Asynchronous(TrainingStep[] steps)
    {
        foreach (var step in steps)
        {
            await Task.Yield();
            yield return step;
        }
    }

    private IEnumerable<TrainingStep> Ticking(TrainingStep[] steps, TimeSpan time)
    {
        foreach (var step in steps)
        {
            _clock.Advance(time);
            yield return step;
        }
    }
}
