using Toolkit.Graphs;
using Toolkit.Ops;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

public sealed class CellLoweringTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Recurrent_cells_become_products(bool hasBias)
    {
        using var inference = no_grad();
        using var module = new Cells(hasBias);
        using var scope = NewDisposeScope();
        var x = randn(3, 5, 7);
        using var compiled = module.Compile(x);
        Assert.DoesNotContain(compiled.Graph.Nodes, node => node.Operator.Name.StartsWith("torchsharp::", StringComparison.Ordinal));
        foreach (var input in new[] { x, randn(3, 5, 7) })
        {
            Assert.True(compiled.forward(input).allclose(module.forward(input), 1e-5, 1e-6));
        }
    }

    [Fact]
    public void Operations_of_the_engine_are_recorded_whole()
    {
        using var inference = no_grad();
        using var module = new Engine();
        using var scope = NewDisposeScope();
        var x = randn(1, 3, 32);
        using var compiled = module.Compile(x);
        var names = compiled.Graph.Nodes.Select(node => node.Operator.Name).ToHashSet();
        Assert.Superset(new HashSet<string> { "toolkit::rms_norm", "toolkit::rotary", "toolkit::attention", "toolkit::swiglu" }, names);
        Assert.True(compiled.forward(x).allclose(module.forward(x), 1e-5, 1e-6));
        Assert.Equal(0, compiled.Explain().EagerCalls);
    }

    private sealed class Cells : nn.Module<Tensor, Tensor>
    {
        private readonly LSTMCell _long;
        private readonly GRUCell _gated;

        public Cells(bool hasBias)
            : base(nameof(Cells))
        {
            (_long, _gated) = (nn.LSTMCell(7, 6, hasBias), nn.GRUCell(6, 4, hasBias));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (h, c, g) = (zeros(x.shape[0], 6), zeros(x.shape[0], 6), zeros(x.shape[0], 4));
            for (var t = 0; t < x.shape[1]; t++)
            {
                (h, c) = _long.forward(x.select(1, t), (h, c));
                g = _gated.forward(h, g);
            }

            return cat([h, c, g], 1);
        }
    }

    private sealed class Engine : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter _weight;
        private readonly Parameter _angles;

        public Engine()
            : base(nameof(Engine))
        {
            (_weight, _angles) = (nn.Parameter(rand(32) + 0.5), nn.Parameter(rand(3, 1, 4)));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var heads = RmsNorm.Apply(x, _weight, 1e-5).view(1, 3, 4, 8);
            var q = RotaryEmbedding.Apply(heads, _angles.cos(), _angles.sin());
            var y = Attention.Apply(q, heads, heads).reshape(1, 3, 32);
            return SwiGlu.Apply(y, x);
        }
    }
}
