using System.Globalization;
using System.Text.Json;
using System.Xml.Linq;
using Microsoft.Data.Analysis;
using Toolkit.Display;
using Toolkit.Evaluation;
using Toolkit.Training;

namespace Toolkit.Tests.Display;

public sealed class FormatterTests
{
    private static readonly Dictionary<string, object?> Values = new()
    {
        ["null"] = null,
        ["string"] = "<b>&\"text\"</b>",
        ["number"] = 1234.5,
        ["step"] = Samples.Steps(5)[4],
        ["steps"] = Samples.Steps(30),
        ["no steps"] = Array.Empty<TrainingStep>(),
        ["frame"] = Samples.Steps(30).ToDataFrame(),
        ["empty frame"] = Samples.Steps(0).ToDataFrame(),
        ["no columns"] = new DataFrame(),
        ["evaluation"] = new EvaluationResult(3.25, 1000, 4200),
        ["memory"] = Samples.Memory,
        ["ceiling"] = Samples.Decode.Ceiling,
        ["decode"] = Samples.Decode,
        ["exception"] = new InvalidOperationException("bad <script>alert(1)</script>"),
        ["dictionary"] = new Dictionary<string, int> { ["<a>"] = 1 },
        ["tuples"] = new[] { ("a", 1.5), ("b", 2.5) },
        ["integers"] = new[] { 1, 2, 3 },
        ["nulls"] = new string?[] { null, "a" },
        ["loss chart"] = new LossChart(Samples.Steps(30)),
        ["loss chart of one"] = new LossChart(Samples.Steps(1)),
        ["empty loss chart"] = new LossChart([]),
        ["memory chart"] = new MemoryChart(Samples.Memory),
        ["empty memory chart"] = new MemoryChart(Array.Empty<(string, MemoryUse)>()),
        ["memory chart of zero"] = new MemoryChart(new MemoryUse(0)),
        ["memory peak"] = MemoryChart.Peak(Samples.Steps(3)),
        ["bandwidth"] = new BandwidthChart(Samples.Decode),
        ["empty bandwidth"] = new BandwidthChart([]),
        ["hostile label"] = new BandwidthChart([("</script><script>alert(1)</script>&", Samples.Decode)]),
        ["tokens"] = new TokenView([(1, "<script>alert(1)</script>"), (2, " \n\t\0\u001b\uffff"), (3, "\ud800"), (4, "")], "<i>"),
        ["no tokens"] = new TokenView([]),
        ["bar"] = new ProgressBar("<merge>", 3, 10, TimeSpan.FromSeconds(2), "merges"),
        ["bar of nothing"] = new ProgressBar("x", 0, 0, TimeSpan.Zero),
        ["live"] = new TrainingProgress(Samples.Steps(7, 20), final: false),
        ["live before"] = new TrainingProgress([], final: false),
    };

    public static TheoryData<string> Names => [.. Values.Keys];

    [Fact]
    public void NumbersThatAreWrittenWithAUnit_StandOnTheRight()
    {
        object?[][] rows = [["1,024", "12.5 MB", "0.95x", "27 %", "3.5e-7", "-4.0 µs", "2026-11-28", "1.2.3", "4 rows"], ["5", "0 B", "1.20x", "8 %", "0", "1.2 ms", "2026-11-29", "2", "12"]];
        var html = Formatter.Format(new TableView(["a", "b", "c", "d", "e", "f", "g", "h", "i"], rows)).Html!;
        Assert.Equal(6, System.Text.RegularExpressions.Regex.Count(html, "<th class=\"tk-num\">"));
        Assert.Contains("<th>g</th><th>h</th><th>i</th>", html);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryBundleHasTextAndWellFormedHtmlWithoutOutsideResources(string name)
    {
        var bundle = Formatter.Format(Values[name]);

        Assert.NotEqual("", bundle.Plain);
        Assert.All(bundle.Plain.Split('\n'), line => Assert.True(line.Length <= 240, line));
        Assert.DoesNotContain('\u001b', bundle.Plain);
        var html = XElement.Parse($"<page>{bundle.Html}</page>");
        Assert.DoesNotContain(html.Descendants(), element => element.Attribute("src") is not null || element.Attribute("href") is not null);
        Assert.DoesNotContain("://", bundle.Html);
        Assert.DoesNotContain("alert(1)", string.Concat(html.Descendants("script").Where(script => !script.Value.Contains("Plotly")).Select(script => script.Value)));
        Assert.DoesNotContain("<script>alert", bundle.Html);
        Assert.Equal(bundle.NeedsPlotly, bundle.Html!.Contains("Plotly"));
        Assert.Equal(bundle.NeedsPlotly, bundle.Parts.ContainsKey("application/vnd.plotly.v1+json"));
        if (bundle.NeedsPlotly)
        {
            using var figure = JsonDocument.Parse(bundle.Parts["application/vnd.plotly.v1+json"]);
            Assert.Equal(JsonValueKind.Array, figure.RootElement.GetProperty("data").ValueKind);
            Assert.Equal(JsonValueKind.Object, figure.RootElement.GetProperty("layout").ValueKind);
        }
    }

    [Fact]
    public void TheSameValueHasTheSameBundle() =>
        Assert.Equal(new LossChart(Samples.Steps(9)).ToMimeBundle().Parts, new LossChart(Samples.Steps(9)).ToMimeBundle().Parts);

    [Fact]
    public void UnitsAreThoseThatPeopleRead()
    {
        var decode = Formatter.Format(Samples.Decode).Plain;

        Assert.Contains("32 tokens/s", decode);
        Assert.Contains("50.0 % of 12.8 GB/s", decode);
        Assert.Contains("200.0 MB", decode);
        Assert.Contains("153.0 GFLOP/s", Formatter.Format(Samples.Decode.Ceiling).Plain);
        Assert.Contains("3.2500 nats a token", Formatter.Format(new EvaluationResult(3.25, 1000, 4200)).Plain);
    }

    [Fact]
    public void NumbersDoNotDependOnTheCulture()
    {
        var before = CultureInfo.CurrentCulture;
        var commas = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        commas.NumberFormat.NumberDecimalSeparator = ",";
        commas.NumberFormat.NegativeSign = "~";
        try
        {
            var expected = Values.Values.Select(value => Formatter.Format(value).Parts).ToArray();
            CultureInfo.CurrentCulture = commas;
            Assert.Equal(expected, Values.Values.Select(value => Formatter.Format(value).Parts));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void AnEndlessSequenceIsNotRunToItsEnd()
    {
        var asked = 0;
        var endless = Enumerable.Range(0, int.MaxValue).Select(number => asked = number);

        Assert.Contains("there are more", Formatter.Format(endless).Plain);
        Assert.InRange(asked, 1, 20);
    }

    [Fact]
    public void ALaterRegistrationWinsAndReachesDerivedTypes()
    {
        Formatter.Register<Shape>(shape => $"<p>{shape.Sides}</p>", shape => "first");
        Formatter.Register<Shape>(shape => $"<p>{shape.Sides}</p>", shape => $"{shape.Sides} sides");

        Assert.Equal("4 sides", Formatter.Format(new Square()).Plain);
    }

    [Fact]
    public void AHostWithFormattersOfItsOwnLearnsEveryType()
    {
        var told = new List<Type>();
        Formatter.TypeRegistered += told.Add;
        try
        {
            Formatter.Register<Ticket>(ticket => $"<p>{ticket}</p>");
        }
        finally
        {
            Formatter.TypeRegistered -= told.Add;
        }

        Assert.Contains(typeof(Ticket), told);
        Assert.Contains(typeof(Ticket), Formatter.RegisteredTypes);
        Assert.Contains(typeof(TrainingStep), Formatter.RegisteredTypes);
    }

    [Fact]
    public void WideTablesContinueBelowWithinTheWidth()
    {
        var plain = Formatter.Format(Samples.Steps(3).ToDataFrame()).Plain;

        Assert.All(plain.Split('\n'), line => Assert.True(line.Length <= 100, line));
        Assert.Contains("memory_activations_bytes", plain);
        Assert.Contains("3 rows × 15 columns", plain);
    }

    [Fact]
    public void PlotlyIsCarriedAndCannotEndItsScriptElement()
    {
        Assert.StartsWith("/**\n* plotly.js", PlotlyScript.Source.ReplaceLineEndings("\n"));
        Assert.DoesNotContain("</script", PlotlyScript.Source, StringComparison.OrdinalIgnoreCase);
    }

    private sealed record Ticket;

    private class Shape
    {
        public virtual int Sides => 0;
    }

    private sealed class Square : Shape
    {
        public override int Sides => 4;
    }
}
