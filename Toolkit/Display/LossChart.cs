using System.Globalization;
using Plotly.NET;
using Spectre.Console;
using Toolkit.Training;
using SpectreText = Spectre.Console.Text;

namespace Toolkit.Display;

/// <summary>Training loss, its smoothed line, validation loss and the learning rate over the steps of a run.</summary>
/// <param name="steps">The records of the run; they are read when the chart is made.</param>
/// <param name="title">Title above the chart.</param>
public sealed class LossChart(IEnumerable<TrainingStep> steps, string title = "Training loss") : IDisplayable
{
    /// <summary>More points than a screen has pixels only make the page slow: longer runs are thinned to every n-th step.</summary>
    internal const int MostPoints = 2000;

    private readonly TrainingStep[] _steps = [.. steps];

    /// <summary>The steps drawn.</summary>
    public IReadOnlyList<TrainingStep> Steps => _steps;

    /// <inheritdoc/>
    public MimeBundle ToMimeBundle() => Figure().Bundle(Plain());

    internal PlotlyFigure Figure()
    {
        var drawn = Thinned();
        var smoothed = Smoothed(_steps);
        var validated = _steps.Where(step => step.Validation is not null).ToArray();
        var x = drawn.Select(index => _steps[index].Step).ToArray();
        List<Trace> traces =
        [
            Line("training loss", x, drawn.Select(index => _steps[index].Loss), "#3b82c4", 1).With("opacity", 0.45),
            Line("smoothed", x, drawn.Select(index => smoothed[index]), "#3b82c4", 2.5),
            Line("learning rate", x, drawn.Select(index => _steps[index].LearningRate), "#8a8f98", 1.2, "dot").With("yaxis", "y2"),
        ];
        if (validated.Length > 0)
        {
            traces.Insert(2, Line("validation loss", [.. validated.Select(step => step.Step)], validated.Select(step => step.Validation!.Loss), "#e08e2e", 2)
                .With("mode", "lines+markers").With("marker", new Plotly.NET.TraceObjects.Marker().With("size", 7).With("color", "#e08e2e")));
        }

        return new PlotlyFigure(
            _steps.Length > 0 ? title : $"{title}: no steps yet", 380, traces,
            ("xaxis", PlotlyFigure.Axis("step")),
            ("yaxis", PlotlyFigure.Axis("loss (nats a token)")),
            ("yaxis2", PlotlyFigure.Axis("learning rate").With("overlaying", "y").With("side", "right").With("showgrid", false).With("rangemode", "tozero").With("exponentformat", "e")));
    }

    internal string Plain()
    {
        if (_steps.Length == 0)
        {
            return $"{title}: no steps yet";
        }

        var table = new Grid().AddColumns(3);
        AddRow(table, "loss", [.. _steps.Select(step => step.Loss)], value => Units.Fixed(value, 4));
        AddRow(table, "validation", [.. _steps.Where(step => step.Validation is not null).Select(step => step.Validation!.Loss)], value => Units.Fixed(value, 4));
        AddRow(table, "learning rate", [.. _steps.Select(step => step.LearningRate)], Units.Small);
        var last = _steps[^1];
        return string.Create(CultureInfo.InvariantCulture, $"{title}: steps {_steps[0].Step} to {last.Step} of {last.TotalSteps}\n{PlainText.Render(table)}");
    }

    private static void AddRow(Grid grid, string name, double[] values, Func<double, string> format)
    {
        if (values.Length > 0)
        {
            grid.AddRow(new SpectreText(name), new SpectreText(PlainText.Sparkline(values)), new SpectreText($"{format(values[0])} → {format(values[^1])}"));
        }
    }

    private static Trace Line(string name, int[] x, IEnumerable<double> y, string colour, double width, string dash = "solid") => new Trace("scatter")
        .With("name", name)
        .With("mode", x.Length == 1 ? "lines+markers" : "lines")
        .With("x", x)
        .With("y", PlotlyFigure.Values(y))
        .With("line", new Line().With("color", colour).With("width", width).With("dash", dash));

    /// <summary>Mean over about a thirtieth of the run around each step, so that it does not lag behind; steps whose loss is not finite are skipped.</summary>
    private static double[] Smoothed(TrainingStep[] steps)
    {
        var reach = Math.Clamp(steps.Length / 60, 1, 100);
        var sums = new double[steps.Length + 1];
        var counts = new int[steps.Length + 1];
        for (var index = 0; index < steps.Length; index++)
        {
            var finite = double.IsFinite(steps[index].Loss);
            sums[index + 1] = sums[index] + (finite ? steps[index].Loss : 0);
            counts[index + 1] = counts[index] + (finite ? 1 : 0);
        }

        return [.. Enumerable.Range(0, steps.Length).Select(index =>
        {
            // The same reach to both sides: near the ends of the run it is shorter.
            var near = Math.Min(reach, Math.Min(index, steps.Length - 1 - index));
            var (from, to) = (index - near, index + near + 1);
            return counts[to] > counts[from] ? (sums[to] - sums[from]) / (counts[to] - counts[from]) : double.NaN;
        })];
    }

    private int[] Thinned()
    {
        var stride = Math.Max(1, (_steps.Length + MostPoints - 1) / MostPoints);
        return [.. Enumerable.Range(0, _steps.Length).Where(index => index % stride == 0 || index == _steps.Length - 1)];
    }
}
