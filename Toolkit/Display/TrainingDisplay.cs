using Microsoft.Data.Analysis;
using Toolkit.Evaluation;
using Toolkit.Training;

namespace Toolkit.Display;

/// <summary>Shows a training run while it runs, and hands its records to a data frame.</summary>
public static class TrainingDisplay
{
    /// <summary>Runs the steps under a live progress bar and loss chart, and returns them. When the run is cancelled or fails, the last state stays shown and the exception flows on.</summary>
    /// <param name="steps">The run, such as <c>model.Train(corpus, options)</c>.</param>
    /// <param name="interval">Least time between two updates; one second where none is given.</param>
    /// <param name="time">The clock; the system's where none is given.</param>
    public static IReadOnlyList<TrainingStep> ShowLive(this IEnumerable<TrainingStep> steps, TimeSpan? interval = null, TimeProvider? time = null)
    {
        using var live = new LiveTraining(interval, time);
        foreach (var step in steps)
        {
            live.Add(step);
        }

        return live.Steps;
    }

    /// <summary>The asynchronous twin of <see cref="ShowLive"/>.</summary>
    /// <param name="steps">The run.</param>
    /// <param name="interval">Least time between two updates; one second where none is given.</param>
    /// <param name="time">The clock; the system's where none is given.</param>
    /// <param name="cancellation">Ends the run.</param>
    public static async Task<IReadOnlyList<TrainingStep>> ShowLiveAsync(
        this IAsyncEnumerable<TrainingStep> steps, TimeSpan? interval = null, TimeProvider? time = null, CancellationToken cancellation = default)
    {
        using var live = new LiveTraining(interval, time);
        await foreach (var step in steps.WithCancellation(cancellation).ConfigureAwait(false))
        {
            live.Add(step);
        }

        return live.Steps;
    }

    /// <summary>One row a step. Columns that a step has no value for are null there.</summary>
    public static DataFrame ToDataFrame(this IEnumerable<TrainingStep> steps)
    {
        TrainingStep[] all = [.. steps];
        return new DataFrame(
            new Int32DataFrameColumn("step", all.Select(step => step.Step)),
            Column("loss", step => step.Loss),
            Column("learning_rate", step => step.LearningRate),
            Column("gradient_norm", step => step.GradientNorm),
            new Int64DataFrameColumn("tokens", all.Select(step => step.Tokens)),
            Column("tokens_per_second", step => step.TokensPerSecond),
            Column("mfu", step => step.ModelFlopsUtilization),
            Column("validation_loss", step => step.Validation?.Loss),
            Column("bits_per_byte", step => step.Validation?.BitsPerByte),
            Column("elapsed_seconds", step => step.Elapsed.TotalSeconds),
            Bytes("memory_weights_bytes", memory => memory.Weights),
            Bytes("memory_gradients_bytes", memory => memory.Gradients),
            Bytes("memory_optimizer_bytes", memory => memory.Optimizer),
            Bytes("memory_activations_bytes", memory => memory.Activations),
            Bytes("memory_total_bytes", memory => memory.Total));

        DoubleDataFrameColumn Column(string name, Func<TrainingStep, double?> value) => new(name, all.Select(value));

        Int64DataFrameColumn Bytes(string name, Func<MemoryUse, long> value) => new(name, all.Select(step => step.Memory is { } memory ? value(memory) : (long?)null));
    }
}

/// <summary>The state of a run that is being shown.</summary>
internal sealed class LiveTraining(TimeSpan? interval, TimeProvider? time) : IDisposable
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly TimeSpan _interval = interval ?? TimeSpan.FromSeconds(1);
    private readonly List<TrainingStep> _steps = [];
    private DisplayHandle? _handle;
    private long _shown;

    public IReadOnlyList<TrainingStep> Steps => _steps;

    public void Add(TrainingStep step)
    {
        _steps.Add(step);
        if (_handle is null)
        {
            _handle = new TrainingProgress(_steps, final: false).Show();
            _shown = _time.GetTimestamp();
        }
        else if (_time.GetElapsedTime(_shown) >= _interval)
        {
            _handle.Update(new TrainingProgress(_steps, final: false));
            _shown = _time.GetTimestamp();
        }
    }

    public void Dispose() => _ = _handle is null ? new TrainingProgress(_steps, final: true).Show() : Finish(_handle);

    private DisplayHandle Finish(DisplayHandle handle)
    {
        handle.Update(new TrainingProgress(_steps, final: true));
        return handle;
    }
}
