using Toolkit.Graphs;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Training;

/// <summary>Views of what has gradients that are written to are trained by graphs, with eager's gradients.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class SliceWriteTests
{
    private static readonly Dictionary<string, Func<Linear, Tensor, Tensor>> _programs = new()
    {
        ["parts of a new tensor"] = (layer, x) =>
        {
            var y = zeros(6, 16);
            y[.., 0..8] = layer.call(x);
            y[.., 8..16] = layer.call(x).tanh();
            return y;
        },
        ["over time"] = (layer, x) =>
        {
            var (y, h) = (zeros(6, 3, 8), x);
            for (var i = 0; i < 3; i++)
            {
                h = layer.call(h).tanh();
                y[TensorIndex.Colon, i] = h;
            }

            return y;
        },
        ["parts of an activation"] = (layer, x) =>
        {
            var y = layer.call(x) + 0;
            y.narrow(1, 2, 3).copy_(x.narrow(1, 0, 3).sin());
            y[.., 0..2].add_(1);
            y.t()[7] = y.t()[6] * 2;
            y[0, 0] = 3;
            return y.cos();
        },
        ["at indices"] = (layer, x) =>
        {
            var y = layer.call(x).clone();
            y.index_put_(layer.call(x)[TensorIndex.Slice(0, 2)], TensorIndex.Tensor(tensor(new long[] { 1, 3 })));
            y[y > 0.5] = tensor(0f);
            return y.sin();
        },
        ["through detach"] = (layer, x) =>
        {
            var y = layer.call(x);
            y.detach().narrow(1, 0, 2).zero_();
            y.detach()[.., 3..5].mul_(2);
            return y.sin();
        },
        ["by strides"] = (layer, x) => layer.call(x).as_strided([3, 6], [2, 8], 1).exp() + layer.call(x).as_strided([2, 1, 3], [24, 5, 8], 3).sum(),
        ["inside of native code"] = (layer, x) => nn.functional.pad(layer.call(x).view(2, 3, 8), [2L, 1], PaddingModes.Circular).sin(),
    };

    public static TheoryData<string> Names => [.. _programs.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void They_are_trained_by_graphs(string name) => AssertTrains(name, TrainedCall.ByLibTorch);

    [Fact]
    public void They_are_trained_by_kernels() => AssertTrains("parts of an activation", null);

    [Fact]
    public void What_is_left_in_a_buffer_with_gradients_stays_eagers()
    {
        using var scope = NewDisposeScope();
        using var module = new State();
        using var compiled = module.Compile();
        compiled.call(randn(2, 4)).sum().backward();
        module.Forget();
        compiled.call(randn(2, 4)).sum().backward();
        Assert.Contains("has gradients, which go on in the next call", compiled.Explain().ToString());
    }

    private static void AssertTrains(string name, CompileOptions? options)
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var layer = Linear(8, 8);
        using var call = TrainedCall.Of(options, new Written(x => _programs[name](layer, x), layer), randn([6, 8], requires_grad: true));
        call.AssertTrains();
    }

    private sealed class State : Module<Tensor, Tensor>
    {
        private readonly Linear _layer = Linear(4, 4);
        private Tensor _state = zeros(2, 4);

        public State()
            : base(nameof(State)) => RegisterComponents();

        public void Forget() => _state = zeros(2, 4);

        public override Tensor forward(Tensor x)
        {
            var y = _layer.call(x);
            _state.copy_(y);
            return y * 2;
        }
    }
}
