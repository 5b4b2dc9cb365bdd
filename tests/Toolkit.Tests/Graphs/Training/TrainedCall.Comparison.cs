using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Training;

/// <content>What must be the same.</content>
internal sealed partial record TrainedCall
{
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
