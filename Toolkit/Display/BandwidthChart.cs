using Plotly.NET;
using Spectre.Console;
using Toolkit.Measurement;
using SpectreText = Spectre.Console.Text;

namespace Toolkit.Display;

/// <summary>Model bandwidth utilization: bytes a second that decoding read, against the read bandwidth measured on this machine.</summary>
/// <param name="measurements">What to compare, from top to bottom.</param>
/// <param name="title">Title above the chart.</param>
public sealed class BandwidthChart(IEnumerable<(string Label, DecodeMeasurement Measurement)> measurements, string title = "Decode bandwidth against the measured ceiling") : IDisplayable
{
    private readonly (string Label, DecodeMeasurement Measurement)[] _rows = [.. measurements];

    /// <summary>The chart of one measurement.</summary>
    public BandwidthChart(DecodeMeasurement measurement)
        : this([("decode", measurement)])
    {
    }

    /// <inheritdoc/>
    public MimeBundle ToMimeBundle()
    {
        var labels = _rows.Select(row => row.Label).ToArray();
        Trace[] traces =
        [
            Bars("measured ceiling", labels, _rows.Select(row => row.Measurement.Ceiling.ReadBytesPerSecond / 1e9), "rgba(128,128,128,.25)", 0.8)
                .With("text", _rows.Select(row => Units.BytesPerSecond(row.Measurement.Ceiling.ReadBytesPerSecond)).ToArray())
                .With("textposition", "none"),
            Bars("achieved", labels, _rows.Select(row => row.Measurement.AchievedBytesPerSecond / 1e9), "#3b82c4", 0.5)
                .With("text", _rows.Select(row => Text(row.Measurement)).ToArray())
                .With("textposition", "auto")
                .With("insidetextfont", new Font().With("color", "#ffffff"))
                .With("constraintext", "none"),
        ];
        return new PlotlyFigure(
            title, 140 + (40 * Math.Max(1, _rows.Length)), traces,
            ("barmode", "overlay"),
            ("hovermode", "closest"),
            ("xaxis", PlotlyFigure.Axis("GB/s").With("rangemode", "tozero")),
            ("yaxis", PlotlyFigure.Axis("").With("autorange", "reversed").With("type", "category").With("showgrid", false))).Bundle(Plain());
    }

    private static string Text(DecodeMeasurement measurement) =>
        $"MBU {Units.Percent(measurement.ModelBandwidthUtilization)} · {Units.BytesPerSecond(measurement.AchievedBytesPerSecond)} of {Units.BytesPerSecond(measurement.Ceiling.ReadBytesPerSecond)} · {Units.Rate(measurement.TokensPerSecond, "tokens")}";

    private static Trace Bars(string name, string[] labels, IEnumerable<double> values, string colour, double width) => new Trace("bar")
        .With("name", name)
        .With("orientation", "h")
        .With("y", labels)
        .With("x", PlotlyFigure.Values(values))
        .With("width", width)
        .With("hovertemplate", "%{text}")
        .With("marker", new Plotly.NET.TraceObjects.Marker().With("color", colour));

    private string Plain()
    {
        if (_rows.Length == 0)
        {
            return $"{title}: no measurement";
        }

        var grid = new Grid().AddColumns(3);
        foreach (var (label, measurement) in _rows)
        {
            grid.AddRow(
                new SpectreText(label),
                new SpectreText(PlainText.Bar(measurement.ModelBandwidthUtilization, 30)),
                new SpectreText(Text(measurement)));
        }

        return $"{title}\n{PlainText.Render(grid)}";
    }
}
