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
    [InlineData(1, 9, 3)]
    [InlineData(7, 7, 2)]
    [InlineData(4, 9, 8)]
    public void MaskedAttentionIsItsReference(int time, int positions, int window)
    {
        using var scope = NewDisposeScope();
        long[][] shapes = [[2, time, 6, 16], [2, positions, 2, 16], [2, positions, 2, 16]];
        var seen = Attention.CausalMask(time, positions, CPU, window);
        Compare(t => Attention.Apply(t[0], t[1], t[2], seen, 0.3), t => Attention.Reference(t[0], t[1], t[2], seen, 0.3), shapes);
        var bias = randn(2, 6, time, positions);
        Compare(t => Attention.Apply(t[0], t[1], t[2], bias), t => Attention.Reference(t[0], t[1], t[2], bias), shapes);
        var row = randn(1, 6, 1, positions);
        Compare(t => Attention.Apply(t[0], t[1], t[2], row, softCap: 2), t => Attention.Reference(t[0], t[1], t[2], row, softCap: 2), shapes);
    }

    [Theory]
    [InlineData(5, 9, null, "6:0-6 8:0-8")]
    [InlineData(5, 9, 3, "4:2-4 6:4-6 8:6-8")]
    [InlineData(1, 9, 4, "8:5-8")]
    [InlineData(3, 3, 1, "0:0-0 2:2-2")]
    public void ACausalMaskShowsTheLastPositionsOfEach(int time, int positions, int? window, string expected)
    {
        using var scope = NewDisposeScope();
        using var mask = Attention.CausalMask(time, positions, CPU, window);
        var seen = mask.data<bool>().ToArray().Chunk(positions).ToArray();
        foreach (var part in expected.Split(' ').Select(part => part.Split(':', '-').Select(int.Parse).ToArray()))
        {
            var row = seen[part[0] - positions + time];
            Assert.Equal(Enumerable.Range(0, positions).Select(i => i >= part[1] && i <= part[2]), row);
        }
    }

    [Theory]
    [InlineData(16, 16)]
    [InlineData(16, 6)]
    [InlineData(48, 32)]
    public void RotaryEmbeddingTurnsWhatItShouldOfEverySequence(int width, int turned)
    {
        using var scope = NewDisposeScope();
        var angle = rand(2, 5, 1, turned / 2);
        var (cos, sin) = (angle.cos(), angle.sin());
        Compare(t => RotaryEmbedding.Apply(t[0], cos, sin), t => RotaryEmbedding.Reference(t[0], cos, sin), [2, 5, 3, width]);
        var x = randn(2, 5, 3, width);
        var y = RotaryEmbedding.Apply(x, cos, sin);
        Close(x.narrow(-1, turned, width - turned), y.narrow(-1, turned, width - turned));
        Close(x.square().sum(-1), y.square().sum(-1));
        Close(x.narrow(0, 1, 1), RotaryEmbedding.Apply(y.narrow(0, 1, 1), cos.narrow(0, 1, 1), sin.narrow(0, 1, 1).neg()));
    }

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
        if (expected.numel() == 0)
        {
            return;
        }

        Assert.InRange(expected.sub(actual).abs().max().item<float>() / (1 + expected.abs().max().item<float>()), 0, 1e-5f);
    }
}
