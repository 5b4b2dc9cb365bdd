using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>What a loaded module gives back, and what it keeps from call to call.</summary>
public sealed class ArtifactResultTests : ArtifactTests
{
    [Fact]
    public void StateGoesOn_InTheArtifactAlone()
    {
        var module = nn.Sequential(("conv", nn.Conv2d(2, 3, 3)), ("norm", nn.BatchNorm2d(3)), ("relu", nn.ReLU()));
        module.train();
        var compiled = module.Compile(randn(2, 2, 6, 6));
        var path = Save(compiled);
        var before = module.state_dict().ToDictionary(entry => entry.Key, entry => entry.Value.clone());
        var x = randn(2, 2, 6, 6);
        using var artifact = Compiled.Load(path);
        using var twin = Compiled.Load(path);
        for (var i = 0; i < 3; i++)
        {
            Close(module.forward(x), artifact.forward(x));
        }

        Close(module.state_dict()["norm.running_mean"], artifact.Weights["norm.running_mean"]);
        Close(before["norm.running_mean"], twin.Weights["norm.running_mean"]);
        Assert.False(before["norm.running_var"].allclose(artifact.Weights["norm.running_var"]));
        using var again = Compiled.Load(path);
        Close(before["norm.running_mean"], again.Weights["norm.running_mean"]);
    }

    [Fact]
    public void CacheThatEachCallWrites_IsKept()
    {
        var module = new Running();
        var compiled = module.Compile(ones(4));
        compiled.forward(ones(4));
        var path = Save(compiled);
        using var artifact = Compiled.Load(path);
        Close(tensor(new float[] { 3, 3, 3, 3 }), artifact.forward(ones(4)));
        Close(tensor(new float[] { 4, 4, 4, 4 }), artifact.forward(ones(4)));
        Close(tensor(new float[] { 3, 3, 3, 3 }), compiled.forward(ones(4)));
    }

    [Fact]
    public void EverythingThatIsReturned_ComesBack()
    {
        var module = new Several();
        var compiled = module.Compile();
        compiled.forward(randn(2, 3), randn(2, 3));
        Assert.Empty(compiled.Explain().Breaks);
        var path = Save(compiled);
        using var artifact = Compiled.Load(path);
        var (x, y) = (randn(2, 3), randn(2, 3));
        var (a, list, map, count) = artifact.forward<(Tensor, List<Tensor>, Dictionary<string, Tensor>, int)>(x, y);
        Close(x + y, a);
        Close(x - y, list[0]);
        Assert.Same(list[0], list[1]);
        Close(x * y, map["product"]);
        Assert.Equal(x.Handle, map["x"].Handle);
        Assert.Equal(2, count);
        Assert.Equal("(first: f32[2, 3], second: f32[2, 3]) -> (tensor, list[tensor, tensor], {product: tensor, x: tensor}, 2)", artifact.Signatures[0].ToString());
        Assert.Equal(
            $"{module.GetType().Name} returns ValueTuple`4, not Tensor", Assert.Throws<CompiledArtifactException>(() => artifact.forward(x, y)).Message);
    }

    [Fact]
    public void ViewsThatAreReturned_ShareMemoryAsInTheModule()
    {
        var compiled = new Viewing().Compile();
        compiled.forward(randn(4, 3));
        using var artifact = Compiled.Load(Save(compiled));
        var x = randn(4, 3);
        var (row, whole, part) = artifact.forward<(Tensor, Tensor, Tensor)>(x);
        Close(x[1], row);
        Close(x * 2, whole);
        Close(x.t()[2] * 2, part);
        row.zero_();
        Assert.Equal(0, x[1].abs().sum().ToSingle());
        whole.fill_(7);
        Close(full([4], 7f), part);
    }

    [Fact]
    public void OneTensorInTwoPlaces_IsPartOfTheSignature()
    {
        var compiled = new Several().Compile();
        var x = randn(2, 3);
        compiled.forward(x, x);
        using var artifact = Compiled.Load(Save(compiled));
        Assert.Equal([("second", "first")], artifact.Signatures[0].Same);
        Assert.Contains("}, 2), where second is the tensor first, and is given (f32[2, 3], f32[2, 3])", Assert.Throws<CompiledArtifactException>(() => artifact.Run(x, randn(2, 3))).Message);
        Close(x + x, artifact.forward<(Tensor, List<Tensor>, Dictionary<string, Tensor>, int)>(x, x).Item1);
    }

    [Fact]
    public void TablesThatTheFirstCallMakes_AreSaved()
    {
        using var module = new Tabled();
        var x = randn(3, 4);
        using var compiled = module.Compile(x);
        using var artifact = Compiled.Load(Save(compiled));
        Assert.Equal(0, (module.forward(x) - artifact.forward(x)).abs().max().ToDouble(), 1e-6);
    }

    private sealed class Running : nn.Module<Tensor, Tensor>
    {
        private readonly Tensor _sum = zeros(4);

        public Running()
            : base(nameof(Running)) => RegisterComponents();

        public override Tensor forward(Tensor input)
        {
            _sum.add_(input);
            return _sum + 0f;
        }
    }

    private sealed class Several() : nn.Module<Tensor, Tensor, (Tensor Sum, List<Tensor> Both, Dictionary<string, Tensor> Map, int Count)>(nameof(Several))
    {
        public override (Tensor Sum, List<Tensor> Both, Dictionary<string, Tensor> Map, int Count) forward(Tensor first, Tensor second)
        {
            var difference = first - second;
            return (first + second, new List<Tensor> { difference, difference }, new() { ["product"] = first * second, ["x"] = first }, 2);
        }
    }

    private sealed class Viewing() : nn.Module<Tensor, (Tensor Row, Tensor Whole, Tensor Part)>(nameof(Viewing))
    {
        public override (Tensor Row, Tensor Whole, Tensor Part) forward(Tensor x)
        {
            var y = x * 2;
            return (x[1], y, y.t()[2]);
        }
    }

    /// <summary>Makes a table when it is first called, and a longer one when that is too short.</summary>
    private sealed class Tabled() : nn.Module<Tensor, Tensor>(nameof(Tabled))
    {
        private Tensor? _table;
        private long _length;

        public override Tensor forward(Tensor x)
        {
            if (_table is null || _length < x.shape[0])
            {
                _length = x.shape[0];
                _table = arange(_length, ScalarType.Float32).unsqueeze(1).cos().DetachFromDisposeScope();
            }

            return x * _table[..(int)x.shape[0]];
        }
    }
}
