using System.Runtime.InteropServices;
using Toolkit.Graphs;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Training;

/// <summary>What autograd does behind a program's back, and where a compiled module could go wrong without a word.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class TrainingTrapTests
{
    [Fact]
    public void A_weight_that_a_native_module_and_the_program_use_gets_both_gradients()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, new Tied(), randint(0, 9, [2, 3]));
        call.AssertTrains();
    }

    /// <summary>Recorded with other values each time: offsets must begin at 0 and be in order in all of them.</summary>
    [Fact]
    public void Offsets_of_bags_stay_in_order()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, new Bags(), randint(0, 9, [12]), tensor(new long[] { 0, 3, 5, 9 }));
        call.AssertTrains();
    }

    [Fact]
    public void Operations_in_place_leave_what_autograd_keeps()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, Sequential(Linear(6, 8), ReLU(inplace: true), Linear(8, 4), SiLU(inplace: true), LeakyReLU(0.2, inplace: true)), randn(5, 6));
        call.AssertTrains();
    }

    [Fact]
    public void Operations_in_place_leave_what_autograd_keeps_operation_by_operation()
    {
        using var off = DispatcherCapture.TurnOff("it is turned off");
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var call = TrainedCall.Of(null, Sequential(Linear(6, 8), SiLU(inplace: true), LeakyReLU(0.2, inplace: true)), randn(5, 6));
        call.AssertSteps();
    }

    [Fact]
    public void A_backward_pass_that_libtorch_refuses_is_refused_as_in_eager()
    {
        using var scope = NewDisposeScope();
        using var module = new Written(x => x.tanh().add_(1));
        using var compiled = module.Compile(TrainedCall.ByLibTorch);
        var x = randn([3, 2], requires_grad: true);
        for (var i = 0; i < 3; i++)
        {
            using var loss = compiled.call(x).sum();
            Assert.Contains("modified by an inplace operation", Assert.Throws<ExternalException>(() => loss.backward()).Message);
        }

        Assert.Contains("trained operation by operation: one of the variables needed for gradient computation", compiled.Explain().ToString());
    }

    /// <summary>The greatest value is subtracted and added again: a gradient that went both ways would leave rounding at its place.</summary>
    [Fact]
    public void The_gradient_of_logsumexp_does_not_go_by_the_greatest_value()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, new Written(x => x.logsumexp(-1)), (randn(2, 4097) * 1e-4).requires_grad_());
        call.AssertTrains();
    }

    [Fact]
    public void Deviations_of_what_is_all_the_same_have_no_gradients()
    {
        using var scope = NewDisposeScope();
        var x = ones([3, 4], requires_grad: true);
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, new Written(x => x.std(1)), x);
        call.AssertTrains();
        Assert.Equal(0, x.grad!.abs().max().ToDouble());
    }

    /// <summary>What is recorded runs on other values than the program's: those too must be such as the program takes.</summary>
    [Fact]
    public void Ids_among_numbers_stay_ids()
    {
        using var scope = NewDisposeScope();
        var x = cat([tensor(new float[] { 0, 1, 2, 3, 3 }).unsqueeze(1), -rand(5, 3) - 1], 1).requires_grad_();
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, new Written(x => x.square().gather(1, x.detach()[.., ..1].to(ScalarType.Int64))), x);
        call.AssertTrains();
    }

    [Fact]
    public void Classes_of_ids_are_trained_by_graphs()
    {
        using var scope = NewDisposeScope();
        var ids = randint(0, 4, [5]);
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, new Written(x => x.exp() * functional.one_hot(ids, 4)), randn([5, 4], requires_grad: true));
        call.AssertTrains();
    }

    [Fact]
    public void Where_other_values_are_refused_it_trains_operation_by_operation()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 3, -1, -2, -3 }).unsqueeze(0).requires_grad_();
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, new Written(x => x.square().gather(1, x.detach()[.., ..1].to(ScalarType.Int64))), x);
        call.AssertSteps();
        Assert.Contains("trained operation by operation: the program cannot be recorded: aten::gather", call.Explain().ToString());
    }

    [Fact]
    public void Operators_in_place_that_the_vocabulary_lacks_are_trained_by_graphs()
    {
        using var scope = NewDisposeScope();
        var (rows, columns) = (tensor(new long[] { 2, 0, 0 }), tensor(new long[] { 1, 3, 3 }));
        using var call = TrainedCall.Of(null, new Written(x => x.exp()[rows, columns] + x.square().take(columns) + x[..3, ..3].trace()), randn([4, 4], requires_grad: true));
        call.AssertTrains();
    }

    [Fact]
    public void What_is_computed_without_gradients_has_none_in_the_graph()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, new Gated(), randn(5, 6));
        call.AssertTrains();
    }

    [Fact]
    public void What_is_changed_without_gradients_is_changed_as_in_eager()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var module = new Written(x =>
        {
            var y = x.tanh();
            using (no_grad())
            {
                y.mul_(2);
            }

            return y.sin();
        });
        using var compiled = module.Compile(TrainedCall.ByLibTorch);
        var x = randn([3, 2], requires_grad: true);
        Tensor Gradient(Module<Tensor, Tensor> run)
        {
            x.grad = null;
            run.call(x).sum().backward();
            return x.grad!.clone();
        }

        Assert.ThrowsAny<ExternalException>(() => Gradient(module));
        Assert.ThrowsAny<ExternalException>(() => Gradient(compiled));
        Assert.Contains("where gradients are turned off", Assert.Single(compiled.Explain().Breaks).ToString());
    }

    [Fact]
    public void Anomalies_are_found_in_the_operation_that_makes_them()
    {
        using var scope = NewDisposeScope();
        using var compiled = new Written(x => where(x > 0, x.sqrt(), x)).Compile(TrainedCall.ByLibTorch);
        var x = tensor(new float[] { -1, 4 }, requires_grad: true);
        for (var i = 0; i < 2; i++)
        {
            compiled.call(x).sum().backward();
        }

        using (autograd.detect_anomaly(check_nan: true))
        {
            Assert.Contains("'SqrtBackward0' returned nan", Assert.Throws<ExternalException>(() => compiled.call(x).sum().backward()).Message);
        }

        var report = compiled.Explain().ToString();
        Assert.Contains("trained by a forward graph", report);
        Assert.Contains("operation by operation while anomalies were looked for", report);
    }

    [Fact]
    public void A_function_with_a_backward_pass_of_its_own_splits_the_call()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var (first, second) = (Linear(6, 6), Linear(6, 3));
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, new Written(x => second.call(Tripled.apply(first.call(x).tanh())).exp(), first, second), randn(5, 6));
        call.AssertSteps(4);
        var report = call.Explain();
        Assert.Contains("Tripled.apply has a backward pass of its own; write it with tensor operations, or call it outside of forward", Assert.Single(report.Breaks).ToString());
        Assert.Equal(2, report.Training.Length);
        TrainedCall.AssertTrained(report);
    }

    [Fact]
    public void Parts_of_a_call_that_is_split_are_trained_one_by_one()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var (first, second) = (Linear(6, 6), Linear(6, 3));
        using var module = new Parted(first, second);
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, module, randn(5, 6));
        call.AssertSteps(4);
        Assert.Equal(2, call.Explain().Training.Length);
        TrainedCall.AssertTrained(call.Explain());
    }

    [Fact]
    public void Threads_backpropagate_at_the_same_time()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var model = Sequential(Linear(6, 12), Tanh(), Linear(12, 4));
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        compiled.call(randn(5, 6)).sum().backward();
        compiled.call(randn(5, 6)).sum().backward();
        var worst = new double[4];
        var threads = worst.Select((_, k) => new Thread(() =>
        {
            for (var i = 0; i < 40; i++)
            {
                using var own = NewDisposeScope();
                var x = randn([5, 6], requires_grad: true);
                var actual = autograd.grad([compiled.call(x).square().sum()], [x])[0];
                var expected = autograd.grad([model.call(x).square().sum()], [x])[0];
                worst[k] = Math.Max(worst[k], (actual - expected).abs().max().ToDouble());
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.All(worst, distance => Assert.InRange(distance, 0, 1e-4));
    }

    private sealed class Tripled : autograd.SingleTensorFunction<Tripled>
    {
        public override string Name => nameof(Tripled);

        public override Tensor forward(autograd.AutogradContext context, params object[] vars) => (Tensor)vars[0] * 2;

        public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient) => [gradient * 3];
    }

    private sealed class Tied : Module<Tensor, Tensor>
    {
        private readonly Embedding _table = Embedding(9, 4);

        public Tied()
            : base(nameof(Tied)) => RegisterComponents();

        public override Tensor forward(Tensor ids) => _table.call(ids).tanh().matmul(_table.weight!.t());
    }

    private sealed class Gated : Module<Tensor, Tensor>
    {
        private readonly Linear _gate = Linear(6, 3);
        private readonly Linear _value = Linear(6, 3);

        public Gated()
            : base(nameof(Gated)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            Tensor gate;
            var scores = _gate.call(x);
            using (no_grad())
            {
                gate = scores.softmax(-1);
                gate = gate.contiguous() + scores.contiguous() + scores.reshape(-1, 3) + scores.to(ScalarType.Float32).t().t();
            }

            return _value.call(x) * gate + scores.square();
        }
    }

    private sealed class Parted : Module<Tensor, Tensor>
    {
        private readonly Linear _first;
        private readonly Linear _second;

        public Parted(Linear first, Linear second)
            : base(nameof(Parted))
        {
            (_first, _second) = (first, second);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var y = _first.call(x).tanh();
            return y.mean().item<float>() > 100 ? y : _second.call(y) * 2 + y.sum();
        }
    }

    private sealed class Bags : Module<Tensor, Tensor, Tensor>
    {
        private readonly EmbeddingBag _bag = EmbeddingBag(9, 6, sparse: false);
        private readonly Linear _last = Linear(6, 3);

        public Bags()
            : base(nameof(Bags)) => RegisterComponents();

        public override Tensor forward(Tensor ids, Tensor offsets) => _last.call(_bag.call(ids, offsets));
    }
}
