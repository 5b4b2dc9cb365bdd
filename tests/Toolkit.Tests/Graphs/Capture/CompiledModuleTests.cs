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
}
