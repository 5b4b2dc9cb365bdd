namespace Toolkit.Training;

/// <summary>A linear warm-up, then half a cosine down to the minimum, which the last step has (Loshchilov and Hutter, 2017).</summary>
/// <param name="Peak">Learning rate at the end of the warm-up.</param>
/// <param name="Minimum">Learning rate of the last step.</param>
/// <param name="WarmupSteps">Steps of the warm-up; the last of them has the peak.</param>
/// <param name="Steps">Steps in all.</param>
public sealed record LearningRateSchedule(double Peak, double Minimum, int WarmupSteps, int Steps)
{
    /// <summary>The learning rate of a step; the first step is 1.</summary>
    public double At(int step)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        if (step <= WarmupSteps)
        {
            return Peak * step / WarmupSteps;
        }

        var progress = Math.Min(1, (double)(step - WarmupSteps) / Math.Max(1, Steps - WarmupSteps));
        return Minimum + ((Peak - Minimum) * (1 + Math.Cos(Math.PI * progress)) / 2);
    }
}
