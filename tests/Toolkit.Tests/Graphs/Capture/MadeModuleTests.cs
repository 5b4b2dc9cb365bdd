using Toolkit.Graphs;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Modules that are made in forward: without tensors they are functions, with weights they are new in each call.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class MadeModuleTests : IDisposable
{
    private readonly IDisposable _still = no_grad();

    public static TheoryData<string> Stateless => [.. _stateless.Keys];

    private static readonly Dictionary<string, Func<Tensor, Tensor>> _stateless = new()
    {
        ["activations"] = x =>
        {
            using var relu = nn.ReLU();
            return relu.forward(nn.Softmax(-1).call(nn.GELU().forward(x))) + nn.LeakyReLU(0.3).forward(x) + nn.ELU(0.5).forward(x);
        },
        ["shapes and pools"] = x => nn.Flatten(0, 1).forward(nn.MaxPool2d(2).forward(x)) + nn.Flatten(0, 1).forward(nn.AvgPool2d([2L, 2L]).forward(x)),
        ["norms without weights"] = x => nn.LayerNorm([6], elementwise_affine: false).forward(x) + nn.GroupNorm(1, 2, affine: false).forward(x) + nn.InstanceNorm2d(2).forward(x),
        ["in sequence"] = x => nn.Sequential(nn.Tanh(), nn.ReflectionPad2d(1), nn.Upsample(scale_factor: [2.0, 2.0])).forward(x),
        ["dropout"] = x => nn.Dropout(0.5).forward(x),
        ["dropout that is off"] = x =>
        {
            var dropout = nn.Dropout(0.5);
            dropout.eval();
            return dropout.forward(x) * 2;
        },
        ["losses"] = x => nn.MSELoss().forward(x, x * 2) + nn.L1Loss(nn.Reduction.Sum).forward(x, x * 2) + nn.SmoothL1Loss().forward(x, x.exp()),
        ["shuffled"] = x => nn.ChannelShuffle(2).forward(x) + nn.CosineSimilarity(1).forward(x, x.exp()).unsqueeze(1),
    };

    public void Dispose() => _still.Dispose();

    [Theory]
    [MemberData(nameof(Stateless))]
    public void WithoutTensors_IsCapturedWhole(string name)
    {
        using var module = new Written(_stateless[name]);
        using var compiled = module.Compile();
        foreach (var width in new[] { 6L, 6L })
        {
            using var x = randn(2, 2, 4, width);
            Compiling.Agrees(compiled, x);
        }

        Assert.Empty(compiled.Explain().Breaks);
        Compiling.Counts(compiled.Explain(), 1, 3);
    }

    [Fact]
    public void WithWeights_EndsTheGraph_AndDrawsThemAsEver()
    {
        using var module = new Written(x =>
        {
            using var linear = nn.Linear(4, 3);
            return linear.forward(x.sin()).cos();
        });
        using var compiled = module.Compile();
        using var x = randn(2, 4);
        Compiling.Agrees(compiled, x);
        Assert.Contains("a Linear is made, which has new weights in each call", compiled.Explain().Breaks[0].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void KeptInAField_OrAliveAtABreak_DoesTheSame()
    {
        using var module = new Keeping();
        using var compiled = module.Compile();
        using var x = randn(2, 4);
        Compiling.Agrees(compiled, x);
        Compiling.Agrees(compiled, x.neg());
        Compiling.Agrees(compiled, x.abs());
    }

    private sealed class Keeping() : nn.Module<Tensor, Tensor>(nameof(Keeping))
    {
        private ReLU? _kept;

        public override Tensor forward(Tensor x)
        {
            _kept ??= nn.ReLU();
            var gelu = nn.GELU();
            var y = _kept.forward(x);
            return y.sum().item<float>() > 1 ? gelu.forward(y) : gelu.forward(x) * 2;
        }
    }
}
