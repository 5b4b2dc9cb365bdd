using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Methods with an underscore: the graphs that they are in are compiled like any other.</summary>
public sealed class InPlaceTests : InferenceTests
{
    [Fact]
    public void TensorsBecomeViewsOfWhatTheyWere()
    {
        Compiles(x =>
        {
            var y = x * 2;
            y.unsqueeze_(0);
            y.transpose_(1, 2);
            var z = y.squeeze_();
            y.add_(1f);
            return (z + y).detach_();
        });
        Compiles(x =>
        {
            var y = (x * 2).unsqueeze(1);
            var row = y[0];
            y.squeeze_(1).mul_(3f);
            return y + row;
        });
    }

    [Fact]
    public void HandlesOfOneTensorBecomeTheSame()
    {
        var first = Calls(x =>
        {
            var y = (x * 2).unsqueeze(0);
            var other = y.alias();
            y.squeeze_(0).add_(1f);
            return other.dim() == 3 ? other + 1 : other + 2;
        });
        Assert.Null(first.Problem);
    }

    [Fact]
    public void ArgumentsThatBecomeViews_AreSoAfterTheCall()
    {
        using var module = new Written(x => x.squeeze_(0) + 1);
        using var compiled = module.Compile();
        for (var i = 0; i < 3; i++)
        {
            using var scope = NewDisposeScope();
            var (x, y) = (ones(1, 3, 4), ones(1, 3, 4));
            Compiling.Same(module.call(x), compiled.call(y));
            Assert.Equal(x.shape, y.shape);
        }
    }

    [Fact]
    public void MethodsWithoutAnOperatorOfTheirOwnAreCompiled()
    {
        Compiles(x => (x * 9).relu6_() + 1);
        Compiles(x => x.log().nan_to_num_(0.1, 1.0, -1.0) * 2);
        Compiles(x =>
        {
            var y = x * 2;
            y.index_put_(3f, tensor(new long[] { 0, 2 }));
            y.index_put_(5f, [tensor(new long[] { 0, 2 }), tensor(new long[] { 1, 1 })]);
            return y + 1;
        });
    }

    [Fact]
    public void LayersInPlaceAreCompiled()
    {
        using var module = Sequential(Linear(4, 6), ReLU6(inplace: true), Linear(6, 4), Hardswish(inplace: true));
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(3, 4) * 20);
        Assert.Null(((CompiledGraph)compiled.Executable).WhyInterpreted);
    }

    private static void Compiles(Func<Tensor, Tensor> program)
    {
        var (problem, whyInterpreted) = Calls(program);
        Assert.Null(problem);
        Assert.Null(whyInterpreted);
    }

    private static (string? Problem, string? WhyInterpreted) Calls(Func<Tensor, Tensor> program)
    {
        using var module = new Written(program);
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(3, 4));
        var report = compiled.Explain();
        return (report is { CapturedCalls: 1, CompiledCalls: 1 } ? null : report.ToString(), ((CompiledGraph)compiled.Executable).WhyInterpreted);
    }
}
