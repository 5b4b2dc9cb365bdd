using Toolkit.Ops;
using static TorchSharp.torch;

namespace Toolkit.Tests.Ops;

/// <summary>Every fast operation computes what its plain reference computes, forward and gradient.</summary>
public sealed class OpContractTests
{
    [Theory]
    [InlineData(1, 32)]
    [InlineData(37, 192)]
    [InlineData(300, 50)]
    public void RmsNormIsItsReference(int rows, int width) => Compare(
        t => RmsNorm.Apply(t[0], t[1], 1e-5), t => RmsNorm.Reference(t[0], t[1], 1e-5), [rows, width], [width]);

    [Theory]
    [InlineData(1, 1, 1, 16)]
    [InlineData(2, 70, 3, 32)]
    [InlineData(2, 5, 3, 6)]
    public void RotaryEmbeddingIsItsReference(int batch, int time, int heads, int width)
    {
        using var scope = NewDisposeScope();
        var angle = rand(time, 1, width / 2);
        var (cos, sin) = (angle.cos(), angle.sin());
        Compare(t => RotaryEmbedding.Apply(t[0], cos, sin), t => RotaryEmbedding.Reference(t[0], cos, sin), [batch, time, heads, width]);
    }

    [Theory]
    [InlineData(3, 8)]
    [InlineData(100, 512)]
    [InlineData(3, 5)]
    public void SwiGluIsItsReference(int rows, int width) => Compare(
        t => SwiGlu.Apply(t[0], t[1]), t => SwiGlu.Reference(t[0], t[1]), [rows, width], [rows, width]);

    [Theory]
    [InlineData(1, 9)]
    [InlineData(7, 7)]
    [InlineData(4, 9)]
    public void AttentionIsItsReference(int time, int positions) => Compare(
        t => Attention.Apply(t[0], t[1], t[2]), t => Attention.Reference(t[0], t[1], t[2]), [2, time, 6, 16], [2, positions, 2, 16], [2, positions, 2, 16]);

    [Theory]
    [InlineData(1)]
    [InlineData(512)]
    [InlineData(700)]
    public void CrossEntropyOfHeadIsItsReference(int rows)
    {
        using var scope = NewDisposeScope();
        var targets = randint(0, 97, [rows], int64);
        Compare(t => CrossEntropy.OfHead(t[0], t[1], targets), t => CrossEntropy.Reference(t[0].matmul(t[1].t()), targets), [rows, 24], [97, 24]);
    }

    private static void Compare(Func<Tensor[], Tensor> fast, Func<Tensor[], Tensor> reference, params long[][] shapes)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(7);
        var first = shapes.Select(s => randn(s).requires_grad_(true)).ToArray();
        var second = first.Select(t => t.detach().clone().requires_grad_(true)).ToArray();
        var (actual, expected) = (fast(first), reference(second));
        Close(expected, actual);
        var weight = randn_like(expected).detach();
        actual.mul(weight).sum().backward();
        expected.mul(weight).sum().backward();
        foreach (var (a, b) in first.Zip(second))
        {
            Close(b.grad!, a.grad!);
        }

        using var noGradient = no_grad();
        Close(expected, fast(first));
    }

    private static void Close(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.InRange(expected.sub(actual).abs().max().item<float>() / (1 + expected.abs().max().item<float>()), 0, 1e-5f);
    }
}
