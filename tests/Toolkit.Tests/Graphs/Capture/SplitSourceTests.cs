using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Toolkit.Graphs;
using TorchSharp;
using static Toolkit.Tests.Graphs.Capture.SplitCheck;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Modules that are compiled at run time, as in a notebook cell.</summary>
public sealed class SplitSourceTests
{
    private const string Source = """
        using System;
        using System.Collections.Generic;
        using System.Linq;
        using TorchSharp;
        using static TorchSharp.torch;

        public sealed class Routed : nn.Module<Tensor, Tensor>
        {
            private readonly TorchSharp.Modules.ModuleList<nn.Module<Tensor, Tensor>> experts = new(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8));

            public Routed() : base("routed") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var outputs = new Dictionary<string, Tensor>();
                float level = 0;
                foreach (var (expert, index) in experts.Select((e, i) => (e, i)).ToList())
                {
                    var h = expert.call(x).relu();
                    var mean = h.mean().item<float>();
                    level = Math.Max(level, mean);
                    var isOpen = mean > -1f;
                    if (isOpen)
                    {
                        outputs[$"expert{index}"] = h * (index + 1);
                    }
                }

                var rows = x.shape[0];
                var (low, high) = Split(outputs["expert0"] + outputs["expert2"]);
                if (level > 1e9f)
                {
                    return x;
                }

                return low * rows + high.flip(1);

                (Tensor, Tensor) Split(Tensor t) => (t.narrow(1, 0, 4), t.narrow(1, 4, 4));
            }
        }
        """;

    [Theory]
    [InlineData(OptimizationLevel.Debug)]
    [InlineData(OptimizationLevel.Release)]
    public void RoslynModule_IsSplit(OptimizationLevel level)
    {
        using var module = Make(level);
        using var _ = no_grad();
        using var compiled = module.Compile(new CompileOptions { Mode = CompileMode.Simplified });
        var report = Compare(module, compiled, Positive(1), Positive(2), Positive(3), Negative(4), Positive(5));
        Assert.True(report is { EagerCalls: 0, CapturedCalls: 3, CompiledCalls: 2 }, report.ToString());
        Assert.All(report.Breaks, site => Assert.Equal("Routed.forward", site.Origin.Method));
    }

    private static nn.Module<Tensor, Tensor> Make(OptimizationLevel level)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create($"routed{level}", [CSharpSyntaxTree.ParseText(Source)], references, new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, optimizationLevel: level));
        using var bytes = new MemoryStream();
        var result = compilation.Emit(bytes);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics));
        return (nn.Module<Tensor, Tensor>)Activator.CreateInstance(Assembly.Load(bytes.ToArray()).GetType("Routed")!)!;
    }
}
