using Toolkit.Graphs;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Training;

[Collection(nameof(SharedGeneratorTests))]
public sealed class CompiledTrainingTests
{
    /// <summary>Of these kernels are made, which takes a second each; of the rest libtorch's kernels run the same graphs.</summary>
    private static readonly HashSet<string> _byKernels = ["mlp with dropout", "gpt, manual attention", "engine decoder with loss", "resnet block", "mixture of experts"];

    public static TheoryData<string> Names => [.. TrainedModules.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_step_gives_eagers_results_gradients_and_buffers(string name)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        using var call = TrainedModules.All[name](_byKernels.Contains(name) ? null : TrainedCall.ByLibTorch);
        using var buffers = new Buffers(call.Module);
        var expected = call.Step(call.Eager);
        Assert.True(expected.Count > 3);
        for (var i = 0; i < 3; i++)
        {
            buffers.Restore();
            TrainedCall.AssertSame(expected, call.Step(call.Compiled));
        }

        var report = call.Explain();
        Assert.True(report is { CapturedCalls: 1, CompiledCalls: 2, EagerCalls: 0 }, report.ToString());
        TrainedCall.AssertTrained(report);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Without_the_dispatcher_a_step_gives_the_same_and_says_so(string name)
    {
        using var off = DispatcherCapture.TurnOff("it is turned off");
        using var scope = NewDisposeScope();
        manual_seed(3);
        using var call = TrainedModules.All[name](null);
        using var buffers = new Buffers(call.Module);
        var expected = call.Step(call.Eager);
        for (var i = 0; i < 3; i++)
        {
            buffers.Restore();
            TrainedCall.AssertSame(expected, call.Step(call.Compiled));
        }

        var report = call.Explain();
        Assert.True(report is { CapturedCalls: 1, CompiledCalls: 2, EagerCalls: 0 }, report.ToString());
        Assert.Equal("trained operation by operation: ATen operations cannot be recorded: it is turned off", Assert.Single(report.Training));
    }

    /// <summary>The second running mean is zero but for rounding: values that are normalised, then mixed, have the mean 0.</summary>
    [Fact]
    public void A_running_mean_that_rounding_made_does_not_speak_against_the_kernels()
    {
        using var module = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 8, 1, bias: false), nn.BatchNorm2d(8, momentum: 0.01), nn.Conv2d(8, 16, 1, bias: false), nn.BatchNorm2d(16, momentum: 0.01), nn.Hardswish());
        using var compiled = module.Compile();
        for (var i = 0; i < 3; i++)
        {
            using var scope = NewDisposeScope();
            compiled.call(randn(4, 3, 16, 16)).sum().backward();
        }

        Assert.DoesNotContain("libtorch's kernels", compiled.Explain().ToString());
        TrainedCall.AssertTrained(compiled.Explain());
    }

    [Fact]
    public void A_batch_norm_is_computed_once()
    {
        Assert.SkipUnless(DispatcherCapture.IsAvailable, "ATen operations cannot be recorded");
        using var scope = NewDisposeScope();
        using var module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU());
        using var compiled = module.Compile(new CompileOptions { Backend = graph => new GraphInterpreter(graph) });
        for (var call = 0; call < 2; call++)
        {
            compiled.call(randn(2, 3, 6, 6)).sum().backward();
        }

        var names = compiled.TrainingGraph!.Graph.Nodes.Select(node => node.Operator.Name).Where(name => name.Contains("batch_norm", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, names.Length);
        Assert.Single(names, name => name.EndsWith("_backward", StringComparison.Ordinal));
    }

    /// <summary>Buffers as they were.</summary>
    private sealed class Buffers(nn.Module module) : IDisposable
    {
        private readonly (Tensor Buffer, Tensor Copy)[] _all = [.. module.named_buffers().Select(entry => (entry.buffer, entry.buffer.clone()))];

        public void Restore()
        {
            using var still = no_grad();
            foreach (var (buffer, copy) in _all)
            {
                buffer.copy_(copy);
            }
        }

        public void Dispose() => Restore();
    }
}
