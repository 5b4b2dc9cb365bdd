using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Modules whose dimensions are dynamic: their state, their gradients, what they leave behind.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class DynamicModuleTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TrainingGivesTheGradientsAndStatisticsOfEverySize(bool compilesKernels)
    {
        manual_seed(1);
        using var eager = nn.Sequential(nn.Conv2d(2, 6, 3, padding: 1, bias: false), nn.BatchNorm2d(6), nn.GELU(), nn.Dropout(0.2), nn.Flatten(2), nn.Linear(16, 5));
        manual_seed(1);
        using var trained = nn.Sequential(nn.Conv2d(2, 6, 3, padding: 1, bias: false), nn.BatchNorm2d(6), nn.GELU(), nn.Dropout(0.2), nn.Flatten(2), nn.Linear(16, 5));
        using var compiled = trained.Compile(new CompileOptions
        {
            Dynamic = [new(0, 0)],
            Backend = compilesKernels ? null : graph => new GraphInterpreter(graph),
            Cpu = new() { CacheFolder = null },
        });
        foreach (var batch in new[] { 4, 6, 3, 9, 4, 2, 12 })
        {
            using var unit = NewDisposeScope();
            var x = randn(batch, 2, 4, 4);
            var (one, other) = (x.clone().requires_grad_(true), x.clone().requires_grad_(true));
            manual_seed(batch);
            var expected = eager.call(one);
            expected.pow(2).mean().backward();
            manual_seed(batch);
            var actual = compiled.call(other);
            actual.pow(2).mean().backward();
            Compiling.Same(expected, actual);
            Compiling.Same(one.grad!, other.grad!);
            foreach (var (a, b) in eager.parameters().Zip(trained.parameters()))
            {
                Compiling.Same(a.grad!, b.grad!);
                a.grad!.zero_();
                b.grad!.zero_();
            }

            foreach (var (a, b) in eager.buffers().Zip(trained.buffers()))
            {
                Compiling.Same(a, b);
            }
        }

        Assert.True(compiled.Explain() is { CapturedCalls: 1, Sizes: 5, OwnSizes.IsEmpty: true }, compiled.Explain().ToString());
    }

    [Fact]
    public void ThreeSizesChangeAtOnce()
    {
        using var still = no_grad();
        static Tensor Body(Tensor x, Tensor y) => (x.reshape(x.shape[0] * x.shape[1] * x.shape[2]).sum() + y.mean()) * (x.numel() > 200 ? 2 : 3);
        using var compiled = new Pair(Body).Compile(new CompileOptions { Dynamic = [new(0, 0), new(0, 1), new(0, 2), new(1, 0)], RecompileLimit = 1, DynamicSizes = 200 });
        foreach (var (a, b, c) in from a in new[] { 4, 2, 7 } from b in new[] { 5, 9, 2 } from c in new[] { 6, 3, 11 } select (a, b, c))
        {
            using var unit = NewDisposeScope();
            var (x, y) = (randn(a, b, c), randn(a, 3));
            Compiling.Same(Body(x, y), compiled.call(x, y));
        }
    }

    [Fact]
    public void SizesThatWereEqualMayDiffer()
    {
        using var still = no_grad();
        using var compiled = new Written(x => x.matmul(x.transpose(0, 1)).add(x.shape[0] == x.shape[1] ? 1 : 0)).Compile(new CompileOptions { Dynamic = [new(0, 0), new(0, 1)] });
        foreach (var (a, b) in new[] { (6, 6), (7, 7), (9, 9), (6, 8), (8, 6), (5, 9), (10, 10), (12, 5) })
        {
            using var unit = NewDisposeScope();
            var x = randn(a, b);
            Compiling.Same(compiled.Module.call(x), compiled.call(x));
        }

        Assert.Equal(2, compiled.Explain().CapturedCalls);
    }

    [Fact]
    public void InputsMayLieInAnyWay()
    {
        using var still = no_grad();
        using var compiled = new Written(x => nn.functional.softmax(x, -1).sum(1)).Compile(new CompileOptions { Dynamic = [new(0, 0), new(0, 1)] });
        foreach (var (a, b) in new[] { (6, 8), (7, 9), (9, 5) })
        {
            using var unit = NewDisposeScope();
            foreach (var x in new[] { randn(a, b, 4), randn(b, a, 4).transpose(0, 1), randn(a, b, 8)[.., .., TensorIndex.Slice(0, null, 2)], randn(1, b, 4).expand(a, b, 4) })
            {
                Compiling.Same(compiled.Module.call(x), compiled.call(x));
            }
        }
    }

    [Fact]
    public void WhatACallLeavesBehindIsLeftOncePerCall()
    {
        using var still = no_grad();
        using var module = new Leaving();
        using var twin = new Leaving();
        using var compiled = module.Compile(new CompileOptions { Dynamic = [new(0, 0)] });
        foreach (var batch in new[] { 4, 5, 4, 6, 7, 5, 12 })
        {
            using var unit = NewDisposeScope();
            var x = randn(batch, 3);
            Compiling.Same(twin.call(x), compiled.call(x));
            Assert.Equal((twin.Calls, twin.Rows.Count, twin.Rows.Sum()), (module.Calls, module.Rows.Count, module.Rows.Sum()));
            Compiling.Same(twin.Total, module.Total);
        }
    }

    [Fact]
    public void ValuesThatACallChangesAreChangedOncePerCall()
    {
        using var still = no_grad();
        using var module = new Accumulating();
        using var twin = new Accumulating();
        using var compiled = module.Compile(new CompileOptions { Dynamic = [new(0, 0)] });
        foreach (var batch in new[] { 4, 5, 4, 6, 7, 5, 12 })
        {
            using var unit = NewDisposeScope();
            var x = randn(batch, 3);
            Compiling.Same(twin.call(x), compiled.call(x));
            Compiling.Same(twin.Total, module.Total);
        }

        Assert.True(compiled.Explain() is { CapturedCalls: 1, Sizes: 4 }, compiled.Explain().ToString());
    }

    [Fact]
    public void RandomNumbersAreDrawnAsTheProgramDrawsThem()
    {
        using var still = no_grad();
        using var compiled = new Written(x => x + rand_like(x) + nn.functional.dropout(x, 0.3, training: true)).Compile(new CompileOptions { Dynamic = [new(0, 0)] });
        manual_seed(9);
        var expected = Calls(x => compiled.Module.call(x));
        manual_seed(9);
        foreach (var (wanted, given) in expected.Zip(Calls(x => compiled.call(x))))
        {
            Compiling.Same(wanted, given);
        }

        static Tensor[] Calls(Func<Tensor, Tensor> call) => [.. new[] { 4, 5, 9, 6, 4 }.Select(batch => call(full(batch, 3, 0.5)))];
    }

    [Fact]
    public void ManySizesFromManyThreads()
    {
        using var module = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 4));
        using var compiled = module.Compile(new CompileOptions { Dynamic = [new(0, 0)], DynamicSizes = 6 });
        Parallel.For(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            using var still = no_grad();
            using var unit = NewDisposeScope();
            var x = randn(2 + (i / 4 % 17), 8);
            Compiling.Same(module.call(x), compiled.call(x));
        });
        Assert.True(compiled.Explain() is { EagerCalls: 0, Recompiles.Length: <= 2 }, compiled.Explain().ToString());
    }

    private sealed class Pair(Func<Tensor, Tensor, Tensor> body) : nn.Module<Tensor, Tensor, Tensor>(nameof(Pair))
    {
        public override Tensor forward(Tensor x, Tensor y) => body(x, y);
    }

    private sealed class Leaving() : nn.Module<Tensor, Tensor>(nameof(Leaving))
    {
        public int Calls { get; private set; }

        public List<long> Rows { get; } = [];

        public Tensor Total { get; private set; } = zeros(3).DetachFromDisposeScope();

        public override Tensor forward(Tensor x)
        {
            Calls++;
            Rows.Add(x.shape[0]);
            Total = (Total + x.sum(0)).DetachFromDisposeScope();
            return x * Calls;
        }
    }

    private sealed class Accumulating() : nn.Module<Tensor, Tensor>(nameof(Accumulating))
    {
        public Tensor Total { get; } = zeros(3).DetachFromDisposeScope();

        public override Tensor forward(Tensor x)
        {
            Total.add_(x.sum(0));
            return x * Total;
        }
    }
}
