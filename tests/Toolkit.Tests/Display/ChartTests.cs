using System.Text.Json;
using Toolkit.Display;
using Toolkit.Evaluation;

namespace Toolkit.Tests.Display;

public sealed class ChartTests
{
    [Fact]
    public void TheLossChartDrawsTheRecords()
    {
        var steps = Samples.Steps(12);
        var data = Data(new LossChart(steps));

        Assert.Equal(["training loss", "smoothed", "validation loss", "learning rate"], data.Keys);
        Assert.Equal(steps.Select(step => (double?)step.Step), Numbers(data["training loss"], "x"));
        Assert.Equal(steps.Select(step => (double?)step.Loss), Numbers(data["training loss"], "y"));
        Assert.Equal(steps.Select(step => (double?)step.LearningRate), Numbers(data["learning rate"], "y"));
        Assert.Equal([5, 10], Numbers(data["validation loss"], "x"));
        Assert.Equal([9.0 / 5, 9.0 / 10], Numbers(data["validation loss"], "y"));
        Assert.Equal("y2", data["learning rate"].GetProperty("yaxis").GetString());
    }

    // Where the host's FSharp.Core is older than Plotly.NET's (.NET Interactive), the HTML library that Plotly.NET brings cannot be used.
    [Fact]
    public void AFigureDoesNotNeedPlotlyNetsHtmlLibrary()
    {
        Assert.Contains("\"frames\":[]", new LossChart(Samples.Steps(3)).ToMimeBundle().Parts["application/vnd.plotly.v1+json"]);

        Assert.DoesNotContain(AppDomain.CurrentDomain.GetAssemblies(), assembly => assembly.GetName().Name == "Giraffe.ViewEngine");
    }

    [Fact]
    public void TheSmoothedLineOfAConstantLossIsThatLoss()
    {
        var steps = Samples.Steps(50).Select(step => step with { Loss = 2.5 });

        Assert.All(Numbers(Data(new LossChart(steps))["smoothed"], "y"), value => Assert.Equal(2.5, value!.Value, 1e-12));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void ALossThatIsNotFiniteIsAGap(double loss)
    {
        var steps = Samples.Steps(5);
        steps[0] = steps[0] with { Loss = loss };
        steps[3] = steps[3] with { Loss = loss, LearningRate = loss, Validation = new EvaluationResult(loss, 1, 1) };
        var data = Data(new LossChart(steps));

        Assert.Equal([null, 4, 8.0 / 3, null, 1.6], Numbers(data["training loss"], "y"));
        Assert.Null(Numbers(data["smoothed"], "y")[0]);
        Assert.NotNull(Numbers(data["smoothed"], "y")[3]);
        Assert.NotEqual("", new TrainingProgress(steps, final: true).ToMimeBundle().Plain);
    }

    [Fact]
    public void ALongRunIsThinnedAndKeepsItsEnds()
    {
        var x = Numbers(Data(new LossChart(Samples.Steps(9001)))["training loss"], "x");

        Assert.InRange(x.Length, LossChart.MostPoints / 2, LossChart.MostPoints + 1);
        Assert.Equal(1, x[0]);
        Assert.Equal(9001, x[^1]);
    }

    [Fact]
    public void TheMemoryChartDrawsTheKindsThatThereAre()
    {
        var data = Data(new MemoryChart([("train", Samples.Memory), ("decode", Samples.Decode.Memory)]));

        Assert.Equal(["weights", "gradients", "optimizer", "activations", "KV cache"], data.Keys);
        Assert.Equal([14, 200], Numbers(data["weights"], "x"));
        Assert.Equal([61, 0], Numbers(data["activations"], "x"));
        Assert.Equal(["weights", "KV cache"], Data(new MemoryChart(Samples.Decode.Memory)).Keys);
    }

    [Fact]
    public void LargeMemoryIsInGigabytes()
    {
        var bundle = new MemoryChart(new MemoryUse(3_500_000_000)).ToMimeBundle();

        Assert.Equal([3.5], Numbers(Data(new MemoryChart(new MemoryUse(3_500_000_000)))["weights"], "x"));
        Assert.Contains("3.5 GB", bundle.Plain);
    }

    [Fact]
    public void ThePeakIsTheStepWithTheMostMemory()
    {
        var steps = Samples.Steps(3);
        steps[1] = steps[1] with { Memory = new MemoryUse(999_000_000) };

        Assert.Contains("999.0 MB", MemoryChart.Peak(steps).ToMimeBundle().Plain);
    }

    [Fact]
    public void TheBandwidthChartRelatesWhatWasAchievedToTheCeiling()
    {
        var data = Data(new BandwidthChart(Samples.Decode));

        Assert.Equal([12.8], Numbers(data["measured ceiling"], "x"));
        Assert.Equal(6.4, Numbers(data["achieved"], "x")[0]!.Value, 1e-9);
        Assert.Contains("MBU 50.0 %", data["achieved"].GetProperty("text")[0].GetString());
        Assert.Contains("███████████████░░░░░░░░░░░░░░░ ", new BandwidthChart(Samples.Decode).ToMimeBundle().Plain);
    }

    [Fact]
    public void SparklinesRunFromLowToHigh()
    {
        Assert.Equal("▁▂▃▄▅▆▇█", PlainText.Sparkline([0, 1, 2, 3, 4, 5, 6, 7]));
        Assert.Equal("▄▄", PlainText.Sparkline([3, 3]));
        Assert.Equal("▁ █", PlainText.Sparkline([1, double.NaN, 2]));
        Assert.Equal("", PlainText.Sparkline([]));
        Assert.Equal(10, PlainText.Sparkline([.. Enumerable.Range(0, 999)], 10).Length);
    }

    private static Dictionary<string, JsonElement> Data(IDisplayable chart) =>
        JsonDocument.Parse(chart.ToMimeBundle().Parts["application/vnd.plotly.v1+json"]).RootElement.GetProperty("data").EnumerateArray()
            .ToDictionary(trace => trace.GetProperty("name").GetString()!);

    private static double?[] Numbers(JsonElement trace, string axis) =>
        [.. trace.GetProperty(axis).EnumerateArray().Select(value => value.ValueKind == JsonValueKind.Null ? (double?)null : value.GetDouble())];
}
