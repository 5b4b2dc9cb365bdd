using Toolkit.Training;

namespace Toolkit.Display;

/// <summary>A progress bar over a loss chart: what a training run looks like while it runs.</summary>
/// <param name="steps">The steps so far.</param>
/// <param name="final">Whether no further state follows.</param>
public sealed class TrainingProgress(IReadOnlyList<TrainingStep> steps, bool final) : IDisplayable
{
    /// <summary>The progress bar over the steps.</summary>
    public ProgressBar Bar { get; } = MakeBar(steps, final);

    /// <inheritdoc/>
    public MimeBundle ToMimeBundle()
    {
        var chart = new LossChart(steps);
        var figure = chart.Figure();
        var plain = final ? $"{Bar.Plain}\n{chart.Plain()}" : Bar.Plain;
        return figure.Bundle(plain) is var bundle && steps.Count == 0
            ? MimeBundle.Of(Fragment.Box(Bar.Html), plain)
            : bundle with
            {
                Parts = new Dictionary<string, string>(bundle.Parts) { [MimeBundle.HtmlType] = Fragment.Box(Bar.Html + figure.Html) },
                Completion = final ? null : Bar.Fraction,
            };
    }

    private static ProgressBar MakeBar(IReadOnlyList<TrainingStep> steps, bool final)
    {
        if (steps.Count == 0)
        {
            return new ProgressBar("Training", 0, 0, TimeSpan.Zero, "steps") { Final = final };
        }

        var last = steps[^1];
        // A resumed run starts its clock anew: the rate is that of the steps since then.
        var rate = last.Elapsed > TimeSpan.Zero ? (last.Step - steps[0].Step + 1) / last.Elapsed.TotalSeconds : 0;
        return new ProgressBar("Training", last.Step, last.TotalSteps, last.Elapsed, "steps") { Facts = Facts(steps), Final = final, MeasuredRate = rate };
    }

    private static string Facts(IReadOnlyList<TrainingStep> steps)
    {
        var last = steps[^1];
        List<string> facts =
        [
            $"loss {Units.Fixed(last.Loss, 4)}",
            $"learning rate {Units.Small(last.LearningRate)}",
            Units.Rate(last.TokensPerSecond, "tokens"),
        ];
        if (last.ModelFlopsUtilization is { } utilization)
        {
            facts.Add($"MFU {Units.Percent(utilization)}");
        }

        if (steps.LastOrDefault(step => step.Validation is not null)?.Validation is { } validation)
        {
            facts.Add($"validation {Units.Fixed(validation.Loss, 4)}");
        }

        return string.Join(" · ", facts);
    }
}
