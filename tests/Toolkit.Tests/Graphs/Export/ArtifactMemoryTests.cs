using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>Saved calls that change their arguments: what lies in one memory is not taken for two tensors, nor two for one.</summary>
public sealed class ArtifactMemoryTests : ArtifactTests
{
    private readonly Tensor _weight = ones(3);

    [Fact]
    public void WhatIsChangedLiesApart()
    {
        var compiled = new Changing(_weight).Compile();
        compiled.forward(randn(3), randn(3));
        using var artifact = Compiled.Load(Save(compiled));
        var (x, y) = (randn(3), randn(3));
        Close((x + 1) * y * _weight, artifact.forward(x.clone(), y));
        var z = ones(3);
        Assert.Equal("x is changed by the call, and y lies in the same memory: give it tensors of their own", Assert.Throws<CompiledArtifactException>(() => artifact.forward(z, z)).Message);
        var both = ones(4);
        Assert.Throws<CompiledArtifactException>(() => artifact.forward(both[..3], both[1..]));
        var (name, weight) = artifact.Weights.Single();
        Assert.Contains($"\"{name}\" lies in the same memory", Assert.Throws<CompiledArtifactException>(() => artifact.forward(weight, y)).Message);
        Close(ones(3), z);
        Close(ones(3), weight);
    }

    [Fact]
    public void WhatIsOneTensorIsOneTensor()
    {
        var x = randn(3);
        using var module = new Changing(_weight).Compile();
        using var handle = x.alias();
        module.forward(x, handle);
        using var artifact = Compiled.Load(Save(module));
        var z = ones(3);
        using var other = z.alias();
        Close(full(3, 4f), artifact.forward(z, other));
        Assert.Contains("where y is the tensor x", Assert.Throws<CompiledArtifactException>(() => artifact.forward(randn(3), randn(3))).Message);
    }

    [Fact]
    public void WhatIsAWeightIsNoArgument()
    {
        using var module = new Changing(_weight).Compile();
        module.forward(randn(3), _weight);
        Assert.Contains("with tensors of their own", Assert.Throws<CompiledArtifactException>(() => Save(module)).Message);
    }

    private sealed class Changing(Tensor weight) : nn.Module<Tensor, Tensor, Tensor>(nameof(Changing))
    {
        private readonly Tensor _weight = weight;

        public override Tensor forward(Tensor x, Tensor y)
        {
            x.add_(1);
            return x * y * _weight;
        }
    }
}
