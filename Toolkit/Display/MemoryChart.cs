using Plotly.NET;
using Spectre.Console;
using Toolkit.Evaluation;
using Toolkit.Training;
using SpectreText = Spectre.Console.Text;

namespace Toolkit.Display;

/// <summary>Memory by kind (weights, gradients, optimizer, activations, key-value cache), one stacked bar a label.</summary>
/// <param name="bars">What to compare, from top to bottom.</param>
/// <param name="title">Title above the chart.</param>
public sealed class MemoryChart(IEnumerable<(string Label, MemoryUse Memory)> bars, string title = "Memory by kind") : IDisplayable
{
    private static readonly (string Name, string Colour, Func<MemoryUse, long> Bytes)[] Kinds =
    [
        ("weights", "#3b82c4", memory => memory.Weights),
        ("gradients", "#e08e2e", memory => memory.Gradients),
        ("optimizer", "#4ca65c", memory => memory.Optimizer),
        ("activations", "#cc545e", memory => memory.Activations),
        ("KV cache", "#9268c0", memory => memory.KeyValueCache),
    ];

    private readonly (string Label, MemoryUse Memory)[] _bars = [.. bars];

    /// <summary>The chart of one measurement.</summary>
    public MemoryChart(MemoryUse memory, string title = "Memory by kind")
        : this([("", memory)], title)
    {
    }

    /// <summary>The chart of a training run: the step with the largest total.</summary>
    public static MemoryChart Peak(IEnumerable<TrainingStep> steps)
    {
        var peak = steps.Where(step => step.Memory is not null).MaxBy(step => step.Memory!.Total);
        return new MemoryChart(peak is null ? [] : [($"step {Units.Cell(peak.Step)}", peak.Memory!)], "Memory by kind, at the peak of the run");
    }

    /// <inheritdoc/>
    public MimeBundle ToMimeBundle()
    {
        var largest = _bars.Length > 0 ? _bars.Max(bar => bar.Memory.Total) : 0;
        var (unit, divisor) = largest >= 1_000_000_000 ? ("GB", 1e9) : ("MB", 1e6);
        var shown = Kinds.Where(kind => _bars.Any(bar => kind.Bytes(bar.Memory) > 0));
        var traces = shown.Select(kind => new Trace("bar")
            .With("name", kind.Name)
            .With("orientation", "h")
            .With("y", _bars.Select(bar => bar.Label).ToArray())
            .With("x", PlotlyFigure.Values(_bars.Select(bar => kind.Bytes(bar.Memory) / divisor)))
            .With("text", _bars.Select(bar => Units.Bytes(kind.Bytes(bar.Memory))).ToArray())
            .With("textposition", "inside")
            .With("insidetextanchor", "middle")
            .With("insidetextfont", new Font().With("color", "#ffffff"))
            .With("hovertemplate", "%{text}")
            .With("marker", new Plotly.NET.TraceObjects.Marker().With("color", kind.Colour)));
        return new PlotlyFigure(
            title, 140 + (40 * Math.Max(1, _bars.Length)), traces,
            ("barmode", "stack"),
            ("hovermode", "closest"),
            ("legend", new Plotly.NET.LayoutObjects.Legend().With("orientation", "h").With("traceorder", "normal").With("x", 0).With("y", 1.0).With("yanchor", "bottom")),
            ("xaxis", PlotlyFigure.Axis(unit)),
            ("yaxis", PlotlyFigure.Axis("").With("autorange", "reversed").With("type", "category").With("showgrid", false))).Bundle(Plain());
    }

    private string Plain()
    {
        if (_bars.Length == 0)
        {
            return $"{title}: no measurement";
        }

        var table = new Table().Border(TableBorder.Simple).AddColumns("", "kind").AddColumn(new TableColumn("bytes").RightAligned()).AddColumn("share");
        foreach (var (label, memory) in _bars)
        {
            foreach (var (name, _, bytes) in Kinds.Where(kind => kind.Bytes(memory) > 0))
            {
                var share = bytes(memory) / (double)memory.Total;
                table.AddRow(new SpectreText(label), new SpectreText(name), new SpectreText(Units.Bytes(bytes(memory))), new SpectreText($"{PlainText.Bar(share, 24)} {Units.Percent(share)}"));
            }

            table.AddRow(new SpectreText(label), new SpectreText("total"), new SpectreText(Units.Bytes(memory.Total)), new SpectreText(""));
        }

        return $"{title}\n{PlainText.Render(table)}";
    }
}
