using Toolkit.Graphs.Dispatch;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Dispatch;

public sealed class DispatcherCaptureTests
{
    public static TheoryData<string> Symbols => [.. DispatcherSymbols.Names];

    [Fact]
    public void Is_available_on_the_packages_libtorch() => Assert.True(DispatcherCapture.IsAvailable, DispatcherCapture.WhyNot);

    [Theory]
    [MemberData(nameof(Symbols))]
    public void A_missing_symbol_turns_it_off_and_is_named(string symbol)
    {
        var (dispatcher, whyNot) = DispatcherCapture.Open(name => name == symbol ? 0 : DispatcherSymbols.OfLibTorch(name), "2.10.0", true);
        Assert.Null(dispatcher);
        Assert.Equal($"libtorch has no symbol {symbol}", whyNot);
    }

    [Theory]
    [InlineData("2.11.0", true, "libtorch 2.11.0 is loaded")]
    [InlineData("2.9.1", true, "libtorch 2.9.1 is loaded")]
    [InlineData(null, true, "of unknown version is loaded")]
    [InlineData("2.10.0", false, "Linux on x64 only")]
    public void Another_libtorch_or_system_turns_it_off_before_anything_is_called(string? version, bool supported, string reason)
    {
        var (dispatcher, whyNot) = DispatcherCapture.Open(_ => throw new InvalidOperationException("nothing may be looked up"), version, supported);
        Assert.Null(dispatcher);
        Assert.Contains(reason, whyNot);
        Assert.DoesNotContain('\n', whyNot!);
    }

    [Fact]
    public void OneDnn_ComesBack_WhenTheLastThatDoesWithoutHasEnded()
    {
        var before = IsOneDnnOn();
        var first = DispatcherCapture.Required.WithoutOneDnn();
        var second = DispatcherCapture.Required.WithoutOneDnn();
        first.Dispose();
        second.Dispose();
        Assert.Equal(before, IsOneDnnOn());
    }

    [Fact]
    public void Records_forward_and_backward_of_an_mlp()
    {
        using var scope = NewDisposeScope();
        using var model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4));
        var x = randn(3, 8);
        var parameters = model.parameters().ToArray();
        IReadOnlyList<Tensor> Program(IReadOnlyList<Tensor> inputs)
        {
            var y = model.call(inputs[0]);
            return [y, .. autograd.grad([y], parameters, [inputs[1]])];
        }

        using var recording = DispatcherRecorder.Record(Program, [x, randn(3, 4)], model.named_parameters().Select(p => (p.name, (Tensor)p.parameter)));
        var names = recording.Graph.Nodes.Select(node => node.Operator.Name).ToArray();
        Assert.Contains("aten::addmm", names);
        Assert.Contains("aten::gelu_backward", names);
        Assert.Contains(recording.Graph.Inputs, input => input.Path == "0.weight");

        var (other, seed) = (randn(3, 8), randn(3, 4));
        using var executor = new DispatcherExecutor(recording.Graph);
        var replayed = executor.Run(recording.Inputs(other, seed));
        var expected = Program([other, seed]);
        Assert.All(replayed.Zip(expected), pair => Assert.True(pair.First.equal(pair.Second).all().ToBoolean()));
    }

    private static unsafe byte IsOneDnnOn() => DispatcherCapture.Required.Symbols.IsOneDnnOn(DispatcherCapture.Required.Symbols.Context);
}
