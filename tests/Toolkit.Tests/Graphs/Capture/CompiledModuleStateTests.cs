using Toolkit.Graphs;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

public sealed class CompiledModuleStateTests
{
    [Fact]
    public void NamesParametersAndModes_AreTheModules()
    {
        using var module = new Scaled();
        using var compiled = module.Compile();
        Assert.Equal(["factor", "inner.weight", "inner.bias"], compiled.named_parameters().Select(entry => entry.name));
        Assert.Equal(module.state_dict().Keys, compiled.state_dict().Keys);
        compiled.eval();
        Assert.False(module.training);
        compiled.train();
        Assert.True(module.training && compiled.training);
        Assert.Equal(["inner"], compiled.named_children().Select(entry => entry.name));
    }

    [Fact]
    public void AnotherTypeOfValues_ReachesEveryParameterAndIsCapturedAnew()
    {
        using var inference = no_grad();
        using var module = new Scaled();
        using var compiled = module.Compile();
        using var scope = NewDisposeScope();
        compiled.forward(ones(2, 4));
        compiled.to(ScalarType.Float64);
        Assert.All(module.parameters(), parameter => Assert.Equal(ScalarType.Float64, parameter.dtype));
        var x = ones(2, 4, ScalarType.Float64);
        Assert.True(compiled.forward(x).allclose(module.forward(x)));
        Assert.True(compiled.forward(x).allclose(module.forward(x)));
        Assert.Equal(2, compiled.Explain().Graphs.Length);
    }

    [Fact]
    public void Weights_GoThroughAFile()
    {
        using var module = new Scaled();
        using var compiled = module.Compile();
        var path = Path.GetTempFileName();
        try
        {
            compiled.save(path);
            using var other = new Scaled();
            other.load(path);
            Assert.True(other.factor.allclose(module.factor));
            using var again = new Scaled();
            using var loaded = again.Compile();
            loaded.load(path);
            Assert.True(again.inner.weight!.allclose(module.inner.weight!));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void TheModule_OutlivesWhatItWasCompiledTo()
    {
        using var module = new Scaled();
        using var scope = NewDisposeScope();
        var x = ones(2, 4);
        var expected = module.forward(x);
        var compiled = module.Compile();
        using (no_grad())
        {
            compiled.forward(x);
            compiled.forward(x);
        }

        compiled.Dispose();
        Assert.True(module.forward(x).allclose(expected));
        using var again = module.Compile();
        Assert.True(again.forward(x).allclose(expected));
    }

    private sealed class Scaled : nn.Module<Tensor, Tensor>
    {
        public readonly Parameter factor = nn.Parameter(rand(4));
        public readonly Linear inner = nn.Linear(4, 4);

        public Scaled()
            : base(nameof(Scaled)) => RegisterComponents();

        public override Tensor forward(Tensor x) => inner.forward(x) * factor;
    }
}
