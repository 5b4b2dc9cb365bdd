using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Dimensions that are marked dynamic may have any number of sizes.</summary>
public sealed class DynamicSizeTests : InferenceTests
{
    [Fact]
    public void SizesDoNotCountTowardsTheLimitAndTheOldestGo()
    {
        using var compiled = new Written(Forward).Compile(new CompileOptions { RecompileLimit = 2, Dynamic = [new(0, 1)], DynamicSizes = 4, Backend = graph => new GraphInterpreter(graph) });
        for (var round = 0; round < 2; round++)
        {
            for (var time = 1; time <= 7; time++)
            {
                var x = randn(2, time, 4);
                Compiling.Same(Forward(x), compiled.call(x));
            }
        }

        // 1 is a case of its own, 2 is less than 3, the graph of 3 stands for 4 and 5, that of 6 for 7. Four are kept beside the first, so that most are gone when they come again: 2 is then
        // captured again, the others are made again.
        Compiling.Counts(compiled.Explain(), 5, 9);
        Assert.Equal(8, compiled.Explain().Sizes);
        Assert.InRange(compiled.Explain().Graphs.Length, 1, 5);
        Assert.Contains("dynamic", compiled.Explain().ToString(), StringComparison.Ordinal);
        var same = randn(2, 7, 4);
        Compiling.Same(Forward(same), compiled.call(same));
        Compiling.Counts(compiled.Explain(), 5, 10);
    }

    [Fact]
    public void SizesThatComeOnceEachRunAsTheyAreInTheEnd()
    {
        using var compiled = new Written(Forward).Compile(new CompileOptions { Dynamic = [new(0, 1)], DynamicSizes = 2, Backend = graph => new GraphInterpreter(graph) });
        for (var time = 3; time <= 24; time++)
        {
            var x = randn(2, time, 4);
            Compiling.Same(Forward(x), compiled.call(x));
        }

        var report = compiled.Explain();
        Assert.Equal(2, report.SizesLimitedBy);
        Assert.InRange(report.EagerCalls, 1, 13);
        Assert.Contains("no further sizes: 2 are kept (CompileOptions.DynamicSizes)", report.ToString(), StringComparison.Ordinal);
        var first = randn(2, 3, 4);
        Compiling.Same(Forward(first), compiled.call(first));
        Assert.Equal(report.EagerCalls, compiled.Explain().EagerCalls);
    }

    [Fact]
    public void WhatDiffersInMoreStillCounts()
    {
        using var compiled = new Written(Forward).Compile(new CompileOptions { RecompileLimit = 2, Dynamic = [new(0, -2)], Backend = graph => new GraphInterpreter(graph) });
        foreach (var batch in new[] { 1, 2, 3 })
        {
            foreach (var time in new[] { 3, 4, 5 })
            {
                var x = randn(batch, time, 4);
                Compiling.Same(Forward(x), compiled.call(x));
            }
        }

        Compiling.Counts(compiled.Explain(), 2, 4, 3);
        Assert.Equal(4, compiled.Explain().Sizes);
    }

    [Fact]
    public void RealNumbersOfASizeAreNumbersOfTheKernels()
    {
        static Tensor Body(Tensor x) => (x * (1f / MathF.Sqrt(x.shape[1]))).exp() + (1.0 / (x.shape[1] + 1));
        using var compiled = new Written(Body).Compile(new CompileOptions { Dynamic = [new(0, 1)] });
        foreach (var time in new[] { 5, 9, 3, 12, 31 })
        {
            var x = randn(2, time, 4);
            Compiling.Same(Body(x), compiled.call(x));
        }

        Compiling.Counts(compiled.Explain(), 1, 4);
        Assert.Equal(4, compiled.Explain().Sizes);
    }

    [Fact]
    public void SizesThatAreCutIntoMoreParts()
    {
        static Tensor Body(Tensor x) => stack([.. x.split(4, 1).Select(part => part.sum(1))], 1);
        using var compiled = new Written(Body).Compile(new CompileOptions { Dynamic = [new(0, 1)], Backend = graph => new GraphInterpreter(graph) });
        foreach (var time in new[] { 7, 9, 6, 5, 64, 3, 16, 8 })
        {
            var x = randn(2, time, 4);
            Compiling.Same(Body(x), compiled.call(x));
        }
    }

    [Fact]
    public void PlacesStayWhatTheyMayBe()
    {
        static Tensor Body(Tensor x) => x[.., (int)((x.shape[1] - 4) / 2)..];
        using var compiled = new Written(Body).Compile(new CompileOptions { Dynamic = [new(0, 1)], Backend = graph => new GraphInterpreter(graph) });
        foreach (var time in new[] { 8, 10, 6, 4 })
        {
            var x = randn(2, time, 4);
            Compiling.Same(Body(x), compiled.call(x));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => compiled.call(randn(2, 2, 4)));
        Compiling.Counts(compiled.Explain(), 1, 3);
    }

    [Theory]
    [InlineData(3, 0)]
    [InlineData(0, 5)]
    [InlineData(0, 0)]
    public void SizesMayBeZero(long batch, long time)
    {
        static Tensor Body(Tensor x) => (x.transpose(0, 1) * 2).reshape(x.shape[1] * x.shape[0], 4).view(x.shape[1], x.shape[0], 2, 2).transpose(1, 2).flatten(1);
        using var compiled = new Written(Body).Compile(new CompileOptions { Dynamic = [new(0, 0), new(0, 1)] });
        foreach (var (b, t) in new[] { (3L, 5L), (batch, time) })
        {
            var x = randn(b, t, 4);
            Compiling.Same(Body(x), compiled.call(x));
        }

        Assert.Empty(compiled.Explain().Breaks);
    }

    /// <summary>What it does depends on the size in a way that two sizes do not tell.</summary>
    private static Tensor Forward(Tensor x) => x.shape[1] > 5 ? x.mean([1]) : x.sum(1) * Math.Min(x.shape[1], 3);
}
