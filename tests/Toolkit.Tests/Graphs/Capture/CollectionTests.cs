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
