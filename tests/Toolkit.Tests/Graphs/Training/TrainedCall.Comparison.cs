using Toolkit.Graphs;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Training;

/// <content>What must hold.</content>
internal sealed partial record TrainedCall
{
    /// <summary>The graphs are run by libtorch's kernels: what is looked at does not depend on the back end, and nothing has to be compiled.</summary>
    public static CompileOptions ByLibTorch { get; } = new() { Backend = graph => new DispatcherExecutor(graph) };

    /// <summary>All graphs that are trained are trained by a forward and a backward graph.</summary>
    public static void AssertTrained(CompileReport report) =>
        Assert.True(!report.Training.IsEmpty && report.Training.All(text => text.StartsWith("trained by a forward graph", StringComparison.Ordinal)), report.ToString());

    /// <summary>Steps give the same as eager's, from the first on.</summary>
    public void AssertSteps(int count = 3)
    {
        var expected = Step(Eager);
        for (var i = 0; i < count; i++)
        {
            AssertSame(expected, Step(Compiled));
        }
    }

    /// <summary>Steps by graphs give the same as eager's.</summary>
    public void AssertTrains()
    {
        AssertSteps();
        AssertTrained(Explain());
    }

    /// <summary>Both give the same, relative to the greatest value.</summary>
    public static void AssertSame(Dictionary<string, Tensor> expected, Dictionary<string, Tensor> actual, double tolerance = 1e-5)
    {
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        foreach (var (name, tensor) in expected)
        {
            Assert.Equal(tensor.shape, actual[name].shape);
            var (a, b) = (tensor.to(ScalarType.Float64), actual[name].to(ScalarType.Float64));
            var distance = (a - b).abs().max().ToDouble() / Math.Max(a.abs().max().ToDouble(), 1e-6);
            Assert.True(distance <= tolerance, $"{name} is off by {distance:g3}");
        }
    }
}
