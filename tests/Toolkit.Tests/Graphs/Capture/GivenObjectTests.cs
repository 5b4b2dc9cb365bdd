using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Modules that are given objects of the program's own classes, new ones in each call, as models do whose arguments are many.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class GivenObjectTests : InferenceTests
{
    [Fact]
    public void WhatIsReadOfThemMatters_NotWhichTheyAre()
    {
        using var module = new Given(input =>
        {
            var h = input.Mask is { } mask ? input.X * mask : input.X;
            return (h + input.Start).sin() * input.Inner!.Scale + input.Inner.Shift;
        });
        using var compiled = module.Compile();
        for (var call = 0; call < 4; call++)
        {
            var input = Make();
            Compiling.Same(module.call(input), compiled.call(input));
        }

        Assert.Equal((3L, 1L, 0L), Calls(compiled));
        foreach (var other in new[] { Make() with { Mask = randn(2, 3) }, Make() with { Start = 5 }, Make() with { Inner = new Inner(randn(3)) { Shift = 2 } }, new Wider(randn(2, 3)) { Inner = new(randn(3)) } })
        {
            Compiling.Same(module.call(other), compiled.call(other));
        }

        Assert.Equal((3L, 5L, 0L), Calls(compiled));

        static Input Make() => new(randn(2, 3)) { Inner = new(randn(3)) };
    }

    [Fact]
    public void WhatIsLeftInThem_IsLeftInThoseOfTheCall()
    {
        using var module = new Given(input =>
        {
            input.Seen = input.X * 2;
            input.Start++;
            return input.Seen.exp() + input.Start;
        });
        using var compiled = module.Compile();
        for (var call = 0; call < 4; call++)
        {
            var (input, twin) = (new Input(ones(2) * call), new Input(ones(2) * call));
            Compiling.Same(module.call(twin), compiled.call(input));
            Compiling.Same(twin.Seen!, input.Seen!);
            Assert.Equal(twin.Start, input.Start);
        }
    }

    [Fact]
    public void ThoseThatAreReturnedKeptOrCompared_AreThoseOfTheCall()
    {
        using var module = new Keeping();
        using var compiled = module.Compile();
        for (var call = 0; call < 3; call++)
        {
            var (first, second) = (new Input(randn(2)), new Input(randn(2)));
            var (y, returned) = compiled.call(first, second);
            Compiling.Same((first.X * 2).exp() + second.X, y);
            Assert.Same(first, returned);
            Assert.Same(second, module.Last);
            Compiling.Same((first.X * 2).exp() + first.X + 1, compiled.call(first, first).Item1);
        }
    }

    [Fact]
    public void OneThatTheModuleHasToo_IsReadFromBoth()
    {
        var config = new Input(ones(2)) { Start = 1 };
        using var module = new Holding(config);
        using var compiled = module.Compile();
        var x = randn(2);
        Compiling.Same((x * 2).sin(), compiled.call(x, config));
        var other = new Input(ones(2)) { Start = 1 };
        config.Start = 5;
        Compiling.Same((x * 6).sin(), compiled.call(x, other));
    }

    [Fact]
    public void ABreakDoesNotTieTheRestToThem()
    {
        using var module = new Given(input =>
        {
            var h = (input.X * 2).sin();
            if (h.sum().ToSingle() > 100)
            {
                h = -h;
            }

            return (h + input.Start).exp() * input.Inner!.Scale;
        });
        using var compiled = module.Compile();
        for (var call = 0; call < 4; call++)
        {
            var input = new Input(randn(2, 3)) { Inner = new(randn(3)) };
            Compiling.Same(module.call(input), compiled.call(input));
        }

        Assert.Equal((3L, 1L, 0L), Calls(compiled));
        Assert.Empty(compiled.Explain().Recompiles);
    }

    [Fact]
    public void ABreakInsideALayer_DoesNotTieTheRestToWhatIsInThem()
    {
        using var module = new Given(input =>
        {
            var inner = input.Inner!;
            var h = Gate((input.X * 2).sin());
            return (h + inner.Shift).exp() * inner.Scale;
        });
        using var compiled = module.Compile();
        for (var call = 0; call < 4; call++)
        {
            var input = new Input(randn(2, 3)) { Inner = new(randn(3)) };
            Compiling.Same(module.call(input), compiled.call(input));
        }

        Assert.Equal((3L, 1L, 0L), Calls(compiled));

        static Tensor Gate(Tensor h) => h.sum().ToSingle() > 100 ? -h : h;
    }

    [Fact]
    public void GradientsFlowThroughThem()
    {
        using var grad = enable_grad();
        using var module = new Given(input => (input.X * input.Inner!.Scale).tanh() * input.Mask!);
        using var compiled = module.Compile();
        for (var call = 0; call < 3; call++)
        {
            var (x, twin) = (randn(2, 3, requires_grad: true), zeros(2, 3, requires_grad: true));
            using (no_grad())
            {
                twin.copy_(x);
            }

            var (mask, inner) = (randn(2, 3), new Inner(randn(3)));
            module.call(new Input(twin) { Mask = mask, Inner = inner }).sum().backward();
            compiled.call(new Input(x) { Mask = mask, Inner = inner }).sum().backward();
            Compiling.Same(twin.grad!, x.grad!);
        }

        Assert.Equal((2L, 1L, 0L), Calls(compiled));
    }

    [Fact]
    public void AnArtifactTakesTheirTensors()
    {
        using var module = new Given(input => (input.X * input.Inner!.Scale).tanh() + input.Start);
        using var compiled = module.Compile();
        var input = new Input(randn(2, 3)) { Inner = new(randn(3)) };
        var expected = compiled.call(input);
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        compiled.Save(path);
        try
        {
            using var loaded = Compiled.Load(path);
            Assert.Equal(["input.X", "input.Inner.Scale"], loaded.Signatures[0].Arguments.Select(argument => argument.Name));
            Compiling.Same(expected, (Tensor)loaded.Run(input.X, input.Inner!.Scale)!);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void CollectionsOfNumbersAndDictionaries_AreKnownByWhatTheyHold()
    {
        using var module = new Listing();
        using var compiled = module.Compile();
        for (var call = 0; call < 3; call++)
        {
            Agrees(2, 6);
        }

        Assert.Equal((2L, 1L, 0L), Calls(compiled));
        Agrees(3, 4);
        Agrees(3, 4);
        Assert.Equal((3L, 2L, 0L), Calls(compiled));

        void Agrees(long a, long b)
        {
            List<Dictionary<string, object>> batch = [new() { ["x"] = randn(12), ["size"] = new[] { a, b }, ["input"] = new Input(randn(1)) { Start = 2 } }];
            Compiling.Same(module.call(batch), compiled.call(batch));
        }
    }

    [Fact]
    public void ADictionaryIsGoneThroughInItsOrder()
    {
        using var module = new Joining();
        using var compiled = module.Compile();
        var (a, b) = (randn(2), randn(2));
        foreach (var given in new Dictionary<string, Tensor?>[] { new() { ["a"] = a, ["b"] = b }, new() { ["b"] = b, ["a"] = a }, new() { ["a"] = a, ["b"] = null }, new() { ["a"] = a, ["c"] = null } })
        {
            Compiling.Same(module.call(given), compiled.call(given));
            Compiling.Same(module.call(given), compiled.call(given));
        }
    }

    [Fact]
    public void AGivenArrayThatIsChanged_IsChangedInEachCall()
    {
        using var module = new Changing();
        using var compiled = module.Compile();
        for (var call = 0; call < 3; call++)
        {
            var x = randn(3);
            Tensor[] given = [x, x + 1];
            Compiling.Same((x * 2).exp() + x + 1, compiled.call(given));
            Compiling.Same(x * 2, given[0]);
        }
    }

    private static (long Compiled, long Captured, long Eager) Calls(ICompiledModule compiled) => compiled.Explain() is var report ? (report.CompiledCalls, report.CapturedCalls, report.EagerCalls) : default;

    private record Input(Tensor X)
    {
        public Tensor? Mask { get; init; }

        public Tensor? Seen { get; set; }

        public int Start { get; set; }

        public Inner? Inner { get; init; }
    }

    private sealed record Wider(Tensor X) : Input(X);

    private sealed class Inner(Tensor scale)
    {
        public Tensor Scale { get; } = scale;

        public double Shift { get; init; }
    }

    private sealed class Given(Func<Input, Tensor> function) : nn.Module<Input, Tensor>("given")
    {
        public override Tensor forward(Input input) => function(input);
    }

    private sealed class Keeping() : nn.Module<Input, Input, (Tensor, Input)>("keeping")
    {
        public Input? Last { get; private set; }

        public override (Tensor, Input) forward(Input first, Input second)
        {
            Last = second;
            var y = (first.X * 2).exp() + second.X;
            return (ReferenceEquals(first, second) ? y + 1 : y, first);
        }
    }

    private sealed class Holding(Input config) : nn.Module<Tensor, Input, Tensor>("holding")
    {
        public override Tensor forward(Tensor x, Input given) => (x * (config.Start + given.Start)).sin();
    }

    private sealed class Listing() : nn.Module<List<Dictionary<string, object>>, Tensor>("listing")
    {
        public override Tensor forward(List<Dictionary<string, object>> batch) => stack(batch.Select(one => ((Tensor)one["x"]).view((long[])one["size"]).sin() * ((Input)one["input"]).Start));
    }

    private sealed class Joining() : nn.Module<Dictionary<string, Tensor?>, Tensor>("joining")
    {
        public override Tensor forward(Dictionary<string, Tensor?> given) => cat(given.Values.OfType<Tensor>().ToArray()) * (given.ContainsKey("b") ? 2 : 3);
    }

    private sealed class Changing() : nn.Module<Tensor[], Tensor>("changing")
    {
        public override Tensor forward(Tensor[] given)
        {
            given[0] = given[0] * 2;
            return given[0].exp() + given[1];
        }
    }
}
