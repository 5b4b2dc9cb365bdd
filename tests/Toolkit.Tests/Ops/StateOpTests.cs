using Toolkit.Ops;
using static TorchSharp.torch;

namespace Toolkit.Tests.Ops;

/// <summary>The recurrences compute what their plain definitions compute: values, gradients, and the state that they leave behind.</summary>
public sealed class StateOpTests
{
    [Theory]
    [InlineData(1, 1, 8, 4)]
    [InlineData(2, 37, 72, 16)]
    [InlineData(3, 9, 24, 5)]
    public void SelectiveScanIsItsReference(int batch, int time, int width, int states)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(5);
        Tensor[] inputs =
        [
            randn(batch, time, width), rand(batch, time, width), rand(width, states).mul(-4).sub(0.1), randn(batch, time, states), randn(batch, time, states), randn(width),
        ];
        Compare(inputs, (t, h) => SelectiveScan.Apply(t[0], t[1], t[2], t[3], t[4], t[5], h), (t, h) => SelectiveScan.Reference(t[0], t[1], t[2], t[3], t[4], t[5], h), [batch, width, states]);
    }

    [Theory]
    [InlineData(1, 1, 2, 4, 1, 8, 16)]
    [InlineData(2, 37, 4, 8, 2, 16, 16)]
    [InlineData(2, 32, 3, 5, 3, 11, 8)]
    public void StateSpaceDualityIsItsReference(int batch, int time, int heads, int rows, int groups, int states, int chunk)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(6);
        Tensor[] inputs =
        [
            randn(batch, time, heads, rows), rand(batch, time, heads), rand(heads).mul(-2).sub(0.1), randn(batch, time, groups, states), randn(batch, time, groups, states), randn(heads),
        ];
        Tensor Reference(Tensor[] t, Tensor? h) => StateSpaceDuality.Reference(t[0], t[1], t[2], t[3], t[4], t[5], h);
        Compare(inputs, (t, h) => StateSpaceDuality.Apply(t[0], t[1], t[2], t[3], t[4], t[5], h, chunk), Reference, [batch, heads, rows, states]);
        Compare(inputs, (t, h) => StateSpaceDuality.Chunked(t[0], t[1], t[2], t[3], t[4], t[5], h, chunk), Reference, [batch, heads, rows, states]);
    }

    [Theory]
    [InlineData(1, 1, 8)]
    [InlineData(2, 37, 40)]
    [InlineData(2, 9, 13)]
    public void WeightedKeyValueIsItsReference(int batch, int time, int width)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(7);
        // Keys from -40 to 40: without the largest exponent taken out, exp would overflow.
        Tensor[] inputs = [randn(width), randn(width), rand(batch, time, width).sub(0.5).mul(80), randn(batch, time, width)];
        Compare(inputs, (t, h) => WeightedKeyValue.Apply(t[0], t[1], t[2], t[3], h), (t, h) => WeightedKeyValue.Reference(t[0], t[1], t[2], t[3], h), [batch, 3, width]);
    }

    [Fact]
    public void AChannelThatHasSeenNothingYetGivesTheValueItself()
    {
        using var scope = NewDisposeScope();
        var value = randn(1, 1, 16);
        Close(value, WeightedKeyValue.Apply(zeros(16), zeros(16), full([1, 1, 16], 90f), value, null));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(11)]
    public void CausalConvolutionIsThatOfTorch(int time)
    {
        using var scope = NewDisposeScope();
        var (x, weight, bias) = (randn(2, time, 6), randn(6, 1, 4), randn(6));
        var expected = nn.functional.conv1d(x.transpose(1, 2), weight, bias, padding: 3, groups: 6).narrow(2, 0, time).transpose(1, 2);
        Close(expected, CausalConvolution.Apply(x, weight, bias, null));
        var state = zeros(2, 3, 6);
        var parts = Enumerable.Range(0, time).Select(t => CausalConvolution.Apply(x.narrow(1, t, 1), weight, bias, state)).ToArray();
        Close(expected, cat(parts, 1));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    public void BidirectionalAttentionIsItsReference(int time)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(8);
        Tensor[] inputs = [randn(2, time, 3, 8), randn(2, time, 3, 8), randn(2, time, 3, 8)];
        var tokens = arange(time).unsqueeze(0).lt(tensor(new long[,] { { time }, { 1 } }));
        foreach (var mask in new[] { null, tokens })
        {
            Close(BidirectionalAttention.Reference(inputs[0], inputs[1], inputs[2], mask), BidirectionalAttention.Apply(inputs[0], inputs[1], inputs[2], mask));
        }
    }

    private static void Compare(Tensor[] inputs, Func<Tensor[], Tensor?, Tensor> fast, Func<Tensor[], Tensor?, Tensor> reference, long[] stateShape)
    {
        var first = inputs.Select(t => t.clone().requires_grad_(true)).ToArray();
        var second = inputs.Select(t => t.clone().requires_grad_(true)).ToArray();
        var (actual, expected) = (fast(first, null), reference(second, null));
        Close(expected, actual);
        var weight = randn_like(expected).detach();
        actual.mul(weight).sum().backward();
        expected.mul(weight).sum().backward();
        foreach (var (a, b) in first.Zip(second))
        {
            Close(b.grad ?? zeros_like(b), a.grad ?? zeros_like(a));
        }

        using var noGradient = no_grad();
        Close(expected, fast(inputs, null));
        var start = rand(stateShape);
        var (left, right) = (start.clone(), start.clone());
        Close(reference(inputs, right), fast(inputs, left));
        Close(right, left);
        Assert.NotEqual(start.data<float>().ToArray(), left.data<float>().ToArray());
    }

    private static void Close(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.InRange(expected.sub(actual).abs().max().item<float>() / (1 + expected.abs().max().item<float>()), 0, 1e-5f);
    }
}
