using System.Diagnostics;
using System.Runtime.InteropServices;
using Toolkit.Graphs;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Training;

/// <summary>Gradients of gradients through a compiled module are eager's, from the first step on.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class HigherGradientTests
{
    private static readonly Dictionary<string, Func<Module<Tensor, Tensor>>> _modules = new()
    {
        ["silu, dropout"] = () => Sequential(Linear(8, 16), SiLU(), Dropout(0.3), Linear(16, 3)),
        ["batch norm"] = () => Sequential(BatchNorm1d(8), Linear(8, 16, hasBias: false), BatchNorm1d(16), Tanh(), Linear(16, 3)),
        ["frozen, in place"] = () => Sequential(Frozen(Linear(8, 16)), LeakyReLU(0.2, inplace: true), LayerNorm(16), Linear(16, 3)),
        ["cut off"] = () => new Cut(),
        ["lstm"] = () => new Recurrent(),
    };

    public static TheoryData<string> Names => [.. _modules.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_gradient_penalty_trains_as_in_eager(string name)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        using var module = _modules[name]();
        using var compiled = module.Compile(TrainedCall.ByLibTorch);
        var x = randn([6, 8], requires_grad: true);
        Dictionary<string, Tensor> Step(Module<Tensor, Tensor> run)
        {
            manual_seed(5);
            x.grad = null;
            module.zero_grad();
            var result = run.call(x);
            result.mean().backward(retain_graph: true); // what is there stays
            var gradient = autograd.grad([result.square().sum()], [x], retain_graph: true, create_graph: true)[0];
            (gradient.square().sum(1).sqrt().sub(1).square().mean() + result.mean()).backward();
            return Found(module, x, ("gradient", gradient.detach()), ("next random number", rand(1)));
        }

        for (var i = 0; i < 3; i++)
        {
            var expected = Step(module);
            TrainedCall.AssertSame(expected, Step(compiled));
            x.grad = null;
            module.zero_grad();
            compiled.call(x).sum().backward(); // and one without, in between
        }

        TrainedCall.AssertTrained(compiled.Explain());
    }

    [Fact]
    public void Higher_orders_and_more_than_one_output_are_taken()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        using var module = new Two();
        using var compiled = module.Compile(TrainedCall.ByLibTorch);
        var (x, v) = (randn([2, 5], requires_grad: true), randn(2, 5));
        Dictionary<string, Tensor> Step(Module<Tensor, Tensor[]> run)
        {
            module.zero_grad();
            x.grad = null;
            var results = run.call(x);
            var first = autograd.grad([results[0].sum()], [x], retain_graph: true, create_graph: true)[0];
            var second = autograd.grad([(first * v).sum()], [x], retain_graph: true, create_graph: true)[0];
            (second.square().sum() + results[1].sum()).backward();
            return Found(module, x, ("first", first.detach()), ("second", second.detach()));
        }

        for (var i = 0; i < 3; i++)
        {
            TrainedCall.AssertSame(Step(module), Step(compiled));
        }

        TrainedCall.AssertTrained(compiled.Explain());
    }

    [Fact]
    public void What_was_changed_since_the_call_is_refused_where_they_are_asked_for()
    {
        using var scope = NewDisposeScope();
        var layer = Linear(4, 4);
        using var model = Sequential(layer, Tanh());
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        var x = randn(2, 4, requires_grad: true);
        compiled.call(x).sum().backward();
        var loss = compiled.call(x).sum();
        using (no_grad())
        {
            layer.bias!.add_(1);
        }

        loss.backward(retain_graph: true); // the bias is not needed for that, as in eager code
        Assert.Contains("modified by an inplace operation", Assert.Throws<ExternalException>(() => autograd.grad([loss], [x], retain_graph: true, create_graph: true)).Message);
        Assert.False(autograd.grad([compiled.call(x).sum()], [x], create_graph: true)[0].isnan().any().ToBoolean());
        TrainedCall.AssertTrained(compiled.Explain());
    }

    [Fact]
    public void Three_hundred_steps_leave_nothing_behind()
    {
        using var model = Sequential(Linear(64, 256), SiLU(), Dropout(0.1), Linear(256, 256), Tanh());
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        using var x = randn([128, 64], requires_grad: true);
        void Step(int i)
        {
            using var scope = NewDisposeScope();
            (model.parameters().First().grad, x.grad) = (null, null);
            var result = compiled.call(x);
            var gradient = autograd.grad([result.sum()], [x], retain_graph: true, create_graph: true)[0];
            if (i % 3 != 0)
            {
                gradient.square().sum().backward();
            }
        }

        long Measure()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            using var process = Process.GetCurrentProcess();
            return process.PrivateMemorySize64;
        }

        for (var i = 0; i < 50; i++)
        {
            Step(i);
        }

        var before = Measure();
        for (var i = 0; i < 300; i++)
        {
            Step(i);
        }

        // A step makes more than 1 MB of tensors. Other tests run at the same time.
        Assert.InRange(Measure() - before, long.MinValue, 100 << 20);
        TrainedCall.AssertTrained(compiled.Explain());
    }

    private static Dictionary<string, Tensor> Found(Module module, Tensor x, params ReadOnlySpan<(string Name, Tensor Value)> more)
    {
        var found = new Dictionary<string, Tensor> { ["input"] = x.grad!.clone() };
        foreach (var (name, parameter) in module.named_parameters().Where(entry => entry.parameter.grad is not null))
        {
            // What only rounding keeps from being nothing (a bias before a norm) is none.
            var gradient = parameter.grad!.clone();
            found[name] = gradient.abs().max().ToDouble() < 1e-6 ? zeros_like(gradient) : gradient;
        }

        foreach (var (name, value) in more)
        {
            found[name] = value;
        }

        return found;
    }

    private static Linear Frozen(Linear layer)
    {
        layer.weight.requires_grad = false;
        return layer;
    }

    private sealed class Cut : Module<Tensor, Tensor>
    {
        private readonly Linear _gate = Linear(8, 8);
        private readonly Linear _value = Linear(8, 8);

        public Cut()
            : base(nameof(Cut)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            Tensor gate;
            var scores = _gate.call(x);
            using (no_grad())
            {
                gate = scores.sigmoid();
            }

            return _value.call(scores * gate).tanh().matmul(_value.weight) + scores.detach() * x + randn_like(x) * scores;
        }
    }

    private sealed class Recurrent : Module<Tensor, Tensor>
    {
        private readonly LSTM _cells = LSTM(8, 6, batchFirst: true);

        public Recurrent()
            : base(nameof(Recurrent)) => RegisterComponents();

        public override Tensor forward(Tensor x) => _cells.call(x.view(2, 3, 8)).Item1.reshape(6, 6);
    }

    private sealed class Two : Module<Tensor, Tensor[]>
    {
        private readonly Linear _layer = Linear(5, 5);

        public Two()
            : base(nameof(Two)) => RegisterComponents();

        public override Tensor[] forward(Tensor x) => [_layer.call(x).tanh() * x, _layer.call(x * x).exp()];
    }
}
