using System.Diagnostics;
using System.Runtime.InteropServices;
using Toolkit.Graphs;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace Toolkit.Tests.Graphs.Training;

/// <summary>What autograd promises, held by compiled graphs too. Most run by libtorch's kernels, for what is looked at does not depend on the back end.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class TrainingSemanticsTests
{
    [Fact]
    public void Gradients_of_two_backward_calls_add_up()
    {
        using var scope = NewDisposeScope();
        using var call = Mlp();
        call.Step(call.Compiled);
        TrainedCall.AssertSame(Twice(call, call.Eager), Twice(call, call.Compiled));
        TrainedCall.AssertSame(call.Step(call.Eager, backwards: 2), call.Step(call.Compiled, backwards: 2));
        TrainedCall.AssertTrained(call.Explain());
    }

    [Fact]
    public void An_example_compiles_both_passes_and_is_one_call()
    {
        using var scope = NewDisposeScope();
        Sequential Make()
        {
            manual_seed(3);
            return Sequential(Linear(6, 12), BatchNorm1d(12), GELU(), Dropout(0.1), Linear(12, 3));
        }

        using Sequential eager = Make(), module = Make();
        var x = randn(5, 6);
        manual_seed(4);
        eager.call(x);
        var expected = rand(3);
        manual_seed(4);
        using var compiled = module.Compile(x);
        Assert.Equal(expected.data<float>().ToArray(), rand(3).data<float>().ToArray());
        foreach (var (name, value) in module.state_dict())
        {
            Assert.True(value.allclose(eager.state_dict()[name]), name);
        }

        Assert.NotEmpty(compiled.Kernels);
        TrainedCall.AssertTrained(compiled.Explain());
        compiled.Profile(x);
        Assert.All(compiled.Kernels, kernel => Assert.True(kernel.Time > TimeSpan.Zero, kernel.ToString()));
    }

    [Theory]
    [InlineData("AdamW")]
    [InlineData("SGD")]
    public void Steps_of_an_optimizer_end_with_eagers_weights(string name)
    {
        using var scope = NewDisposeScope();
        List<Tensor> Train(bool isCompiled)
        {
            manual_seed(2);
            using var model = Sequential(Linear(6, 12), LayerNorm(12), GELU(), Dropout(0.1), Linear(12, 3));
            using var compiled = model.Compile();
            using optim.Optimizer optimizer = name == "SGD" ? optim.SGD(model.parameters(), 0.1, momentum: 0.9) : optim.AdamW(model.parameters(), 0.01);
            for (var step = 0; step < 6; step++)
            {
                var (x, y) = (randn(5, 6), randint(0, 3, [5]));
                optimizer.zero_grad();
                using var loss = F.cross_entropy(isCompiled ? compiled.call(x) : model.call(x), y);
                loss.backward();
                optimizer.step();
            }

            return [.. model.parameters().Select(parameter => parameter.detach().clone())];
        }

        foreach (var (expected, actual) in Train(false).Zip(Train(true)))
        {
            Assert.True((expected - actual).abs().max().ToDouble() <= 1e-5 * expected.abs().max().ToDouble());
        }
    }

    [Fact]
    public void Freezing_and_calls_without_gradients_in_between_are_seen()
    {
        using var scope = NewDisposeScope();
        using var call = Mlp();
        call.Step(call.Compiled);
        call.Step(call.Compiled);
        using (no_grad())
        {
            var still = call.Compiled();
            Assert.False(still.requires_grad);
            Assert.True((call.Eager() - still).abs().max().ToDouble() < 1e-6);
        }

        call.Module.parameters().First().requires_grad = false;
        for (var i = 0; i < 3; i++)
        {
            TrainedCall.AssertSame(call.Step(call.Eager), call.Step(call.Compiled));
        }

        call.Module.parameters().First().requires_grad = true;
        TrainedCall.AssertSame(call.Step(call.Eager), call.Step(call.Compiled));
        TrainedCall.AssertTrained(call.Explain());
    }

    [Fact]
    public void Freezing_what_a_native_module_holds_is_seen()
    {
        using var scope = NewDisposeScope();
        var table = Embedding(9, 4);
        using var call = TrainedCall.Of(TrainedCall.ByLibTorch, Sequential(("a", table), ("b", Linear(4, 2))), randint(0, 9, [3]));
        call.Step(call.Compiled);
        TrainedCall.AssertSame(call.Step(call.Eager), call.Step(call.Compiled));
        table.weight!.requires_grad = false;
        var frozen = call.Step(call.Compiled);
        Assert.DoesNotContain("a.weight", frozen.Keys);
        TrainedCall.AssertSame(call.Step(call.Eager), frozen);
        TrainedCall.AssertTrained(call.Explain());
    }

    [Fact]
    public void A_module_may_stand_twice_in_one_graph()
    {
        using var scope = NewDisposeScope();
        var model = Sequential(Linear(5, 5), Tanh());
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        var x = randn(3, 5);
        using var call = new TrainedCall(model, () => model.call(model.call(x) * 2) + model.call(x), () => compiled.call(compiled.call(x) * 2) + compiled.call(x), compiled.Explain, [x]);
        for (var i = 0; i < 3; i++)
        {
            TrainedCall.AssertSame(call.Step(call.Eager), call.Step(call.Compiled));
        }
    }

    [Fact]
    public void There_is_no_gradient_where_the_loss_does_not_lead_to()
    {
        using var scope = NewDisposeScope();
        using var model = new TwoHeads();
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        for (var i = 0; i < 3; i++)
        {
            model.zero_grad();
            using var loss = compiled.call(randn(4, 3))[0].sum();
            foreach (var parameter in model.parameters())
            {
                parameter.grad = null;
            }

            loss.backward();
            Assert.NotNull(model.First.weight.grad);
            Assert.Null(model.Second.weight.grad);
        }

        TrainedCall.AssertTrained(compiled.Explain());
    }

    [Fact]
    public void A_backward_pass_that_fails_throws_where_it_was_asked_for()
    {
        using var scope = NewDisposeScope();
        var isBroken = false;
        using var model = Sequential(Linear(4, 4), Tanh());
        using var compiled = model.Compile(TrainedCall.ByLibTorch with { Backend = graph => new Breaking(graph, () => isBroken) });
        var x = randn(2, 4);
        for (var i = 0; i < 2; i++)
        {
            compiled.call(x).sum().backward();
        }

        isBroken = true;
        model.zero_grad();
        Assert.Contains("the compiled backward pass failed: it is broken", Assert.Throws<ExternalException>(() => compiled.call(x).sum().backward()).Message);
        Assert.All(model.parameters(), parameter => Assert.Null(parameter.grad));
        compiled.call(x).sum().backward();
        Assert.All(model.parameters(), parameter => Assert.False(parameter.grad!.isnan().any().ToBoolean()));
        Assert.Equal("trained operation by operation: a backward pass failed: it is broken", Assert.Single(compiled.Explain().Training));
    }

    [Fact]
    public void Five_hundred_steps_leave_nothing_behind()
    {
        using var model = Sequential(Linear(256, 256), GELU(), Linear(256, 256));
        using var compiled = model.Compile(TrainedCall.ByLibTorch);
        using var optimizer = optim.SGD(model.parameters(), 0.01);
        using var x = randn(64, 256);
        void Step(int i)
        {
            using var scope = NewDisposeScope();
            optimizer.zero_grad();
            var result = compiled.call(x);
            if (i % 5 != 0)
            {
                result.square().mean().backward();
                optimizer.step();
            }
        }

        (long Managed, long Native) Measure()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            using var process = Process.GetCurrentProcess();
            return (GC.GetTotalMemory(forceFullCollection: true), process.PrivateMemorySize64);
        }

        for (var i = 0; i < 100; i++)
        {
            Step(i);
        }

        var before = Measure();
        for (var i = 0; i < 500; i++)
        {
            Step(i);
        }

        var after = Measure();
        TrainedCall.AssertTrained(compiled.Explain());

        // A step makes 400 kB of tensors: what stayed of each would be 200 MB. Other tests run at the same time.
        Assert.True(after.Native - before.Native < 100 << 20, $"{after.Native - before.Native} bytes of the process");
        Assert.True(after.Managed - before.Managed < 8 << 20, $"{after.Managed - before.Managed} managed bytes");
    }

    [Fact]
    public void A_self_test_that_failed_is_named_in_the_report()
    {
        using var off = DispatcherCapture.TurnOff("the self-test failed: aten::add gave 3");
        using var scope = NewDisposeScope();
        using var call = Mlp();
        call.Step(call.Compiled);
        TrainedCall.AssertSame(call.Step(call.Eager), call.Step(call.Compiled));
        Assert.Contains("ATen operations cannot be recorded: the self-test failed: aten::add gave 3", call.Explain().ToString());
    }

    private static TrainedCall Mlp()
    {
        manual_seed(9);
        return TrainedCall.Of(TrainedCall.ByLibTorch, Sequential(Linear(8, 16), GELU(), Linear(16, 4)), randn(5, 8));
    }

    private static Dictionary<string, Tensor> Twice(TrainedCall call, Func<Tensor> run) => call.Step(() => run() + run() * 3);

    private sealed class TwoHeads : Module<Tensor, Tensor[]>
    {
        public TwoHeads()
            : base(nameof(TwoHeads)) => RegisterComponents();

        public Linear First { get; } = Linear(3, 2);

        public Linear Second { get; } = Linear(3, 2);

        public override Tensor[] forward(Tensor x) => [First.call(x), Second.call(x)];
    }

    /// <summary>Runs, until it is told not to run the backward pass any more.</summary>
    private sealed class Breaking(Graph graph, Func<bool> isBroken) : IExecutable
    {
        private readonly DispatcherExecutor _executor = new(graph);

        public Graph Graph => graph;

        public Tensor[] Run(ReadOnlySpan<Tensor> inputs) =>
            isBroken() && graph.Inputs[0].Path.StartsWith("gradient", StringComparison.Ordinal) ? throw new InvalidOperationException("it is broken") : _executor.Run(inputs);

        public void Dispose() => _executor.Dispose();
    }
}
