using System.Runtime.CompilerServices;
using Toolkit.Graphs;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Where the whole graph was asked for, what cannot be in it is an error that the program itself cannot take for one of its own.</summary>
public sealed class WholeGraphTests : InferenceTests
{
    private static readonly CompileOptions _whole = new() { FullGraph = true };

    [Fact]
    public void AHandlerOfTheProgram_DoesNotSeeIt()
    {
        using var compiled = new Written(x =>
        {
            try
            {
                return x * x.sum().item<float>();
            }
            catch (Exception)
            {
                return x * 0;
            }
        }).Compile(_whole);
        var problem = Assert.Throws<GraphBreakException>(() => compiled.call(ones(2)));
        Assert.StartsWith("Tensor.item leaves the graph", problem.Break.Reason);
    }

    [Fact]
    public void AnAsynchronousMethod_DoesNotWrapIt()
    {
        using var compiled = new Written(x => Scaled(x).Result).Compile(_whole);
        var problem = Assert.Throws<GraphBreakException>(() => compiled.call(ones(2)));
        Assert.Equal("Task.Delay", problem.Break.Reason);
        Assert.Equal("WholeGraphTests.AnAsynchronousMethod_DoesNotWrapIt", problem.Break.Origin.Method);

        static async Task<Tensor> Scaled(Tensor x)
        {
            await Task.Delay(1);
            return x * 2;
        }
    }

    [Fact]
    public void ADynamicCall_IsNamedThoughItWasMadeBefore()
    {
        using var module = new Written(x =>
        {
            dynamic same = x;
            return same.relu();
        });
        module.call(ones(2)); // .NET keeps what it makes for the call
        using var compiled = module.Compile(_whole);
        var problem = Assert.Throws<GraphBreakException>(() => compiled.call(ones(2)));
        Assert.Equal("a dynamic call cannot be followed", problem.Break.Reason);
        Assert.EndsWith("WholeGraphTests.cs", problem.Break.Origin.File, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsFoundAtTheEnd_NamesTheModule()
    {
        var stream = new MemoryStream();
        using var compiled = new Holding(stream).Compile(_whole);
        var problem = Assert.Throws<GraphBreakException>(() => compiled.call(ones(2)));
        Assert.StartsWith("Holding.forward: a StrongBox is returned; return tensors", problem.Message);
    }

    private sealed class Holding(MemoryStream stream) : nn.Module<Tensor, StrongBox<(Tensor, Stream)>>(nameof(Holding))
    {
        public override StrongBox<(Tensor, Stream)> forward(Tensor x) => new((x * 2, stream));
    }
}
