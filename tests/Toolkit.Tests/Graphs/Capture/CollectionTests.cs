using System.Runtime.InteropServices;
using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Lists that a forward writes down as the language has it, and reaches into.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class CollectionTests : InferenceTests
{
    [Fact]
    public void ListsAreWrittenAsExpressions()
    {
        using var module = new Written(x =>
        {
            List<Tensor> some = [x.exp(), x * 2];
            some.Add(x);
            IList<Tensor> all = [some[0], .. some, x.sin()];
            IReadOnlyList<int> factors = [1, 2, 3];
            foreach (ref var number in CollectionsMarshal.AsSpan(some))
            {
                number = number + 1;
            }

            return cat(all, 1) * factors[1] * factors.Count + cat(some, 1).sum();
        });
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(2, 3));
        Assert.Empty(compiled.Explain().Breaks);
    }

    [Fact]
    public void ListsThatOutliveTheCallAreNotReachedInto()
    {
        List<double> outer = [1.5, 2];
        using var module = new Written(x =>
        {
            CollectionsMarshal.AsSpan(outer)[0] += 1;
            return x * outer[0];
        });
        using var compiled = module.Compile();
        var x = ones(2);
        for (var i = 0; i < 3; i++)
        {
            Compiling.Same(x * (2.5 + i), compiled.call(x));
        }

        Assert.Contains("CollectionsMarshal.AsSpan may change a collection that outlives the call", Assert.Single(compiled.Explain().Breaks).ToString());
    }

    [Fact]
    public void ACallThatIsLostAfterItsEffects_IsTheOnlyOne()
    {
        var (seen, counts) = (new List<long>(), new Dictionary<long, int>());
        using var module = new Written(x =>
        {
            seen.Add(x.shape[0]);
            var y = x.exp();
            CollectionsMarshal.GetValueRefOrAddDefault(counts, x.shape[0], out _)++;
            return y * counts[x.shape[0]];
        });
        using var compiled = module.Compile();
        var x = ones(2);
        var lost = Assert.Throws<InvalidOperationException>(() => compiled.call(x));
        Assert.Contains("further calls run as they are", lost.Message);
        Assert.Contains("CollectionTests.cs", lost.Message);
        Compiling.Same(x.exp(), compiled.call(x));
        Compiling.Same(x.exp() * 2, compiled.call(x));
        Compiling.Same(ones(3).exp(), compiled.call(ones(3)));
        Assert.Equal((4, 2), (seen.Count, counts[2]));
        Assert.Equal(3, compiled.Explain().EagerCalls);
        Assert.Contains(compiled.Explain().Breaks, found => found.Reason.StartsWith("all calls run as they are: CollectionsMarshal.GetValueRefOrAddDefault", StringComparison.Ordinal));
    }

    [Fact]
    public void ACacheMayHaveTuplesForKeys()
    {
        var masks = new Dictionary<(long, ScalarType), Tensor>();
        using var module = new Written(x =>
        {
            var key = (x.shape[0], x.dtype);
            if (!masks.TryGetValue(key, out var mask))
            {
                masks[key] = mask = ones(key.Item1, key.Item1, key.dtype).tril().MoveToOuterDisposeScope();
            }

            return (mask.matmul(x) * 2).sin();
        });
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(3, 4));
        masks.Clear();
        var x = randn(3, 4);
        var expected = (ones(3, 3).tril().matmul(x) * 2).sin();
        for (var call = 0; call < 3; call++)
        {
            Compiling.Same(expected, compiled.call(x));
        }

        Assert.Single(masks);
        Assert.Equal(0, compiled.Explain().EagerCalls);
    }

    [Fact]
    public void ChildrenAreGoneThrough_AndWatched()
    {
        using var module = new Walking();
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(2, 3));
        Assert.Empty(compiled.Explain().Breaks);
        module.Append();
        Compiling.Agrees(compiled, randn(2, 3));
    }

    private sealed class Walking : nn.Module<Tensor, Tensor>
    {
        public Walking()
            : base(nameof(Walking)) => Append();

        public void Append() => register_module($"layer{children().Count()}", nn.Linear(3, 3));

        public override Tensor forward(Tensor x) => children().OfType<TorchSharp.Modules.Linear>().Aggregate(x, (y, layer) => layer.forward(y).tanh());
    }
}
