using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>A program returns its results in objects of its own types: a compiled call makes them again, each time new.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class ResultObjectTests
{
    [Fact]
    public void RecordsAreMadeAgain()
    {
        var (expected, actual) = Both(x => new Outcome(x * 2, [x, x + 1], "two") { Best = (x.argmax(-1), 3), Count = (int)x.shape[0] });
        Assert.Equal((expected.Name, expected.Count, expected.Best.Rank), (actual.Name, actual.Count, actual.Best.Rank));
        Compiling.Same(expected.Scores, actual.Scores);
        Compiling.Same(expected.Steps[1], actual.Steps[1]);
        Compiling.Same(expected.Best.Place, actual.Best.Place);
    }

    [Fact]
    public void StructsAndInheritedFieldsAreMadeAgain()
    {
        var (expected, actual) = Both(x => new Pair<Derived>(new Derived(x.exp(), 0.5), null));
        Assert.Null(actual.Other);
        Assert.Equal(expected.First.Scale, actual.First.Scale);
        Compiling.Same(expected.First.Value, actual.First.Value);
    }

    [Fact]
    public void AnObjectThatHoldsItselfIsReturnedAsItIs()
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        using var module = new Made<Knot>(x =>
        {
            var knot = new Knot(x * 2);
            knot.Self = knot;
            return knot;
        });
        using var compiled = module.Compile();
        for (var call = 0; call < 2; call++)
        {
            var knot = compiled.call(ones(2, 3));
            Assert.Same(knot, knot.Self);
            Compiling.Same(full(2, 3, 2f), knot.Value);
        }

        Assert.Contains("a Knot is returned", compiled.Explain().ToString(), StringComparison.Ordinal);
    }

    private static (T Expected, T Actual) Both<T>(Func<Tensor, T> body)
    {
        using var still = no_grad();
        using var module = new Made<T>(body);
        using var compiled = module.Compile();
        var x = randn(2, 3);
        var first = compiled.call(x);
        var second = compiled.call(x);
        Compiling.Counts(compiled.Explain(), 1, 1);
        Assert.Empty(compiled.Explain().Breaks);
        Assert.True(typeof(T).IsValueType || !ReferenceEquals(first, second));
        return (module.call(x), second);
    }

    private sealed class Made<T>(Func<Tensor, T> body) : nn.Module<Tensor, T>("made")
    {
        public override T forward(Tensor input) => body(input);
    }

    private sealed record Outcome(Tensor Scores, Tensor[] Steps, string Name)
    {
        public (Tensor Place, int Rank) Best { get; init; }

        public int Count { get; set; }
    }

    private readonly record struct Pair<T>(T First, T? Other);

    private class Base(Tensor value)
    {
        public Tensor Value { get; } = value;
    }

    private sealed class Derived(Tensor value, double scale) : Base(value)
    {
        public double Scale => scale;
    }

    private sealed class Knot(Tensor value)
    {
        public Tensor Value => value;

        public Knot? Self { get; set; }
    }
}
