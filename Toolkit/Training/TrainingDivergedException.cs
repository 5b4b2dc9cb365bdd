using System.Globalization;

namespace Toolkit.Training;

/// <summary>A loss or gradient that is not a number, or infinite. The weights are those of the step before, and checkpoints stay as they are.</summary>
public sealed class TrainingDivergedException : Exception
{
    internal TrainingDivergedException(string what, double value, int step, double learningRate, IReadOnlyList<double> lastLosses)
        : base(string.Create(
            CultureInfo.InvariantCulture,
            $"The {what} of step {step} is {value} at learning rate {learningRate:G4}; the losses before it were {Join(lastLosses)}. The weights are those of step {step - 1}."))
    {
        (Step, LearningRate, LastLosses) = (step, learningRate, lastLosses);
    }

    /// <summary>The step that failed.</summary>
    public int Step { get; }

    /// <summary>Its learning rate.</summary>
    public double LearningRate { get; }

    /// <summary>The losses of the steps before it, the last one last.</summary>
    public IReadOnlyList<double> LastLosses { get; }

    private static string Join(IReadOnlyList<double> losses) =>
        losses.Count == 0 ? "none" : string.Join(", ", losses.Select(loss => loss.ToString("F4", CultureInfo.InvariantCulture)));
}
