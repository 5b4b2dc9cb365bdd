using System.Diagnostics;
using System.Runtime.InteropServices;
using Toolkit.Graphs;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Training;

/// <summary>A backward pass that is not said to be one of several frees what it needed; another that needs it is refused, as by eager.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class SecondBackwardTests
{
    [Fact]
    public void It_is_refused_where_eager_refuses_it()
    {
        using var scope = NewDisposeScope();
        using var model = Sequential(Linear(4, 4), Tanh(), Linear(4, 2));
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        var x = randn(3, 4, requires_grad: true);
        foreach (var run in new Module<Tensor, Tensor>[] { model, compiled, compiled, compiled })
        {
            var loss = run.call(x).sum();
            loss.backward(retain_graph: true);
            loss.backward();
            model.zero_grad();
            Assert.Contains("a second time", Assert.Throws<ExternalException>(() => loss.backward()).Message);
            Assert.All(model.parameters(), parameter => Assert.Null(parameter.grad));
        }

        TrainedCall.AssertTrained(compiled.Explain());
    }

    [Fact]
    public void Gradients_of_given_tensors_are_refused_too()
    {
        using var scope = NewDisposeScope();
        using var model = Sequential(Linear(4, 4), Tanh());
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        var x = randn(3, 4, requires_grad: true);
        compiled.call(x).sum().backward();
        var loss = compiled.call(x).sum();
        autograd.grad([loss], [x]);
        Assert.Contains("a second time", Assert.Throws<ExternalException>(() => autograd.grad([loss], [x])).Message); // in eager code that ends the process
    }

    [Fact]
    public void Heads_that_share_nothing_are_backpropagated_one_after_the_other()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        using var model = new Heads();
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        var x = randn(3, 4);
        List<Tensor> Step(Module<Tensor, Tensor[]> run)
        {
            model.zero_grad();
            var results = run.call(x);
            results[0].sum().backward();
            results[1].sum().backward();
            Assert.Contains("a second time", Assert.Throws<ExternalException>(() => results[1].sum().backward()).Message);
            return [.. model.parameters().Select(parameter => parameter.grad!.clone())];
        }

        for (var i = 0; i < 3; i++)
        {
            Assert.All(Step(model).Zip(Step(compiled)), pair => Assert.True(pair.First.allclose(pair.Second)));
        }
    }

    [Fact]
    public void What_the_last_backward_needed_is_freed()
    {
        const int Count = 1 << 24;
        using var scope = NewDisposeScope();
        using var model = new Scaled();
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        Tensor Loss()
        {
            using var own = NewDisposeScope();
            return compiled.call(zeros(Count)).sum().MoveToOuterDisposeScope();
        }

        Loss().backward();
        var loss = Loss();
        long Measure()
        {
            using var process = Process.GetCurrentProcess();
            return process.PrivateMemorySize64;
        }

        var before = Measure();
        loss.backward();
        Assert.InRange(before - Measure(), Count * sizeof(float) / 2, long.MaxValue); // the input, which only the backward pass holds
    }

    private sealed class Scaled : Module<Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Parameter _scale = Parameter(ones(1));

        public Scaled()
            : base(nameof(Scaled)) => RegisterComponents();

        public override Tensor forward(Tensor x) => (x * _scale).sum(0, keepdim: true);
    }

    private sealed class Heads : Module<Tensor, Tensor[]>
    {
        private readonly Linear _first = Linear(4, 2);
        private readonly Linear _second = Linear(4, 2);

        public Heads()
            : base(nameof(Heads)) => RegisterComponents();

        public override Tensor[] forward(Tensor x) => [_first.call(x).tanh(), _second.call(x).tanh()];
    }
}
