using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Arrays of numbers in fields: programs remember the shape that something was computed for, and make the array anew.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class RememberedArrayTests : InferenceTests
{
    [Fact]
    public void AShapeThatAFieldRemembers_MayBeAnotherArrayOfTheSameNumbers()
    {
        using var module = new Remembering();
        using var compiled = module.Compile();
        foreach (var size in new[] { 2, 2, 2, 2, 3, 3, 3, 2, 2 })
        {
            var x = randn(size, 3);
            Compiling.Same(x + arange(3) * size, compiled.call(x));
            Assert.Equal([size, 3], module.Shape!);
        }

        Assert.True(compiled.Explain() is { CompiledCalls: >= 3, EagerCalls: 0 }, compiled.Explain().ToString());
    }

    [Fact]
    public void ArraysOfFieldsThatAreComparedChangedOrReturned_AreThoseOfTheModule()
    {
        using var module = new Numbered();
        using var compiled = module.Compile();
        var x = randn(2);
        for (var call = 0; call < 3; call++)
        {
            Compiling.Same(x * 3, compiled.call(x).Item1);
            Assert.Same(module.First, compiled.call(x).Item2);
        }

        module.Second = module.First;
        Compiling.Same(x * 4, compiled.call(x).Item1);
        module.Second = [2, 2];
        Compiling.Same(x * 3, compiled.call(x).Item1);
        module.First[0] = 5;
        Compiling.Same(x * 7, compiled.call(x).Item1);
        module.Counts = true;
        for (var call = 0; call < 3; call++)
        {
            Compiling.Same(x * (8 + call), compiled.call(x).Item1);
        }
    }

    [Fact]
    public void AnArrayThatWasReplacedBeforeABreak_IsTheOldOneAfterIt()
    {
        using var module = new Replacing();
        using var compiled = module.Compile();
        var before = 0L;
        foreach (var size in new[] { 2, 2, 3, 3, 3, 2 })
        {
            var x = randn(size, 3);
            Compiling.Same((x * 2) + before, compiled.call(x));
            before = size;
        }
    }

    private sealed class Remembering() : nn.Module<Tensor, Tensor>("remembering")
    {
        private Tensor? _grid;

        public long[]? Shape { get; private set; }

        public override Tensor forward(Tensor x)
        {
            var shape = x.shape;
            if (Shape != shape)
            {
                _grid = (arange(3) * shape[0]).DetachFromDisposeScope();
                Shape = shape;
            }

            return x + _grid!;
        }
    }

    private sealed class Numbered() : nn.Module<Tensor, (Tensor, int[])>("numbered")
    {
        public int[] First { get; } = [1, 2];

        public int[] Second { get; set; } = [2, 2];

        public bool Counts { get; set; }

        public override (Tensor, int[]) forward(Tensor x)
        {
            if (Counts)
            {
                First[0]++;
            }

            return (x * (First[0] + Second[1] + (ReferenceEquals(First, Second) ? 1 : 0)), First);
        }
    }

    private sealed class Replacing() : nn.Module<Tensor, Tensor>("replacing")
    {
        private long[] _shape = [0];

        public override Tensor forward(Tensor x)
        {
            var old = _shape;
            _shape = x.shape;
            var y = x * 2;
            return y.sum().ToSingle() > 1e6f ? -y : y + old[0];
        }
    }
}
