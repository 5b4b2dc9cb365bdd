using Toolkit.Ops;
using static TorchSharp.torch;

namespace Toolkit.Tests.Ops;

public sealed class ActivationTests
{
    private static readonly double[] Points = [-6, -1.5, -0.3, 0, 0.2, 1, 2.5, 7];

    // Values at -1.5, 0.2 and 2.5.
    [Theory]
    [InlineData(Activation.Silu, -0.27363839, 0.10996680, 2.31035487)]
    [InlineData(Activation.Gelu, -0.10021080, 0.11585194, 2.48447583)]
    [InlineData(Activation.GeluTanh, -0.10042843, 0.11585042, 2.48491573)]
    [InlineData(Activation.QuickGelu, -0.10831289, 0.11685726, 2.46501470)]
    [InlineData(Activation.Relu, 0, 0.2, 2.5)]
    [InlineData(Activation.SquaredRelu, 0, 0.04, 6.25)]
    public void ItHasTheValuesOfItsDefinition(Activation activation, double first, double second, double third)
    {
        using var scope = NewDisposeScope();
        var y = ActivationFunction.Apply(tensor(Points.Select(x => (float)x).ToArray()), activation).data<float>().ToArray();
        Assert.Equal(first, y[1], 2e-4);
        Assert.Equal(second, y[4], 2e-4);
        Assert.Equal(third, y[6], 2e-4);
        Assert.Equal(0, y[3]);
    }

    [Fact]
    public void AnUnknownOneIsRefused()
    {
        using var x = ones(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => ActivationFunction.Apply(x, (Activation)99));
    }
}
