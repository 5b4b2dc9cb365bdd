using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

public sealed class CompiledModuleTests
{
    [Fact]
    public void Sequential_IsCapturedWholeAndComputesTheSame()
    {
        using var inference = no_grad();
        using var module = nn.Sequential(("a", nn.Linear(8, 16)), ("b", nn.GELU()), ("c", nn.LayerNorm(16)), ("d", nn.Linear(16, 4)));
        using var x = randn(3, 8);
        using var compiled = module.Compile(x);
        using var expected = module.forward(x);
        using var actual = compiled.forward(x);
        Assert.True(actual.allclose(expected, 1e-5, 1e-6));
        var report = compiled.Explain();
        Assert.True(report is { CompiledCalls: 1, CapturedCalls: 1, EagerCalls: 0 }, report.ToString());
        Assert.NotEmpty(compiled.Kernels);
        Assert.Null(((CompiledGraph)compiled.Executable).WhyInterpreted);
    }

    [Fact]
    public void ExamplesOfSeveralInputs_AreCaptured()
    {
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        using var two = new Two();
        using var three = new Three();
        var (x, y) = (randn(3, 8), randn(3, 8));
        using var pair = two.Compile(x, y);
        using var triple = three.Compile(x, y, true, new CompileOptions { FullGraph = true });
        Assert.True(pair.Explain() is { CapturedCalls: 1, Graphs.Length: 1 }, pair.Explain().ToString());
        Assert.True(triple.Explain() is { CapturedCalls: 1, Graphs.Length: 1 }, triple.Explain().ToString());
        Compiling.Same(two.forward(x, y), pair.forward(x, y));
        Compiling.Same(three.forward(x, y, true), triple.forward(x, y, true));
        Compiling.Counts(pair.Explain(), 1, 1);
        Compiling.Counts(triple.Explain(), 1, 1);
    }

    private sealed class Two() : nn.Module<Tensor, Tensor, Tensor>(nameof(Two))
    {
        public override Tensor forward(Tensor input1, Tensor input2) => input1.sigmoid() * input2;
    }

    private sealed class Three() : nn.Module<Tensor, Tensor, bool, Tensor>(nameof(Three))
    {
        public override Tensor forward(Tensor input1, Tensor input2, bool isSum) => isSum ? input1 + input2 : input1 - input2;
    }
}
