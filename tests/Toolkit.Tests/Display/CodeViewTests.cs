using Toolkit.Display;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Tests.Display;

public sealed class CodeViewTests
{
    [Fact]
    public void A_kernel_is_shown_as_coloured_code_and_as_text()
    {
        var bundle = Formatter.Format(new KernelSource("K", "// a < b\npublic static void K(long begin) { var x = Exp(1.5f); }"));
        Assert.Contains("<span class=\"c\">// a &lt; b</span>", bundle.Html);
        Assert.Contains("<span class=\"k\">public</span>", bundle.Html);
        Assert.Contains("<span class=\"f\">Exp</span>(<span class=\"n\">1.5f</span>)", bundle.Html);
        Assert.Contains("// a < b\npublic static void K", bundle.Plain);
    }

    [Fact]
    public void A_compiled_graph_is_shown_by_its_kernels()
    {
        var g = new GraphBuilder { Origin = new("layers.3", "Block.forward", "Model.cs", 12) };
        var x = g.Input(new(ScalarType.Float32, [64, 64]), GraphInputKind.Argument, "x");
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::cumsum", g.Add("aten::tanh", x), 0L)]), new() { CacheFolder = null });
        using var scope = NewDisposeScope();
        executable.Profile([randn(64, 64)], 2);
        var bundle = Formatter.Format(executable);
        Assert.Contains("Pointwise0", bundle.Plain);
        Assert.Contains("through TorchSharp: aten::cumsum layers.3 Block.forward Model.cs:12 (2 times)", bundle.Plain);
        Assert.NotNull(executable.Kernels[0].Time);
        Assert.Contains("layers.3 Block.forward Model.cs:12", Formatter.Format(executable.Kernels[0]).Plain);
    }
}
