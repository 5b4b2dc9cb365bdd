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
