using System.Reflection;
using Toolkit.Graphs;
using TorchSharp;
using static Toolkit.Tests.Graphs.Capture.SplitCheck;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>What a person is told at a break: where it is, and what to write instead.</summary>
public sealed class SplitAdviceTests
{
    private static readonly MethodInfo _relu = typeof(Tensor).GetMethod(nameof(Tensor.relu), Type.EmptyTypes)!;

    public static TheoryData<string, string, Func<Tensor, Tensor>> Breaks => new()
    {
        { "Tensor.item", "torch.where", x => x.mean().item<float>() > 0 ? x : -x },
        { "ToSingle", "torch.where", x => x.mean().ToSingle() > 0 ? x : -x },
        { "ToDouble", "as a tensor", x => x.mean().ToDouble() > 0 ? x : -x },
        { "bool", "torch.where", x => (bool)(x.mean() > 0f) ? x : -x },
        { "data", "tensor operations", x => x + x.data<float>()[0] },
        { "bytes", "outside of forward", x => x.bytes[0] == 1 ? x : -x },
        { "values of a tensor", "outside of forward", x => $"{x}".Length > 0 ? x : -x },
        { "mask", "masked_fill", x => x[x > 0f].sum() },
        { "nonzero", "mask", x => x.nonzero().sum() },
        { "Console.WriteLine", "outside of forward", x =>
        {
            Console.WriteLine();
            return x;
        }
        },
        { "Random", "torch.rand", x => x * Random.Shared.NextSingle() },
        { "DateTime", "as an argument", x => x * DateTime.UtcNow.Year },
        { "Parallel", "let torch use them", x =>
        {
            Parallel.For(0, 2, _ => { });
            return x;
        }
        },
        { "Task.Run", "let torch use them", x => x * Task.Run(() => 2).Result },
        { "dynamic", "its type", x =>
        {
            dynamic y = 2;
            return x * (int)(y + 1);
        }
        },
        { "reflection", "a delegate", x => (Tensor)_relu.Invoke(x, null)! },
    };

    [Theory]
    [MemberData(nameof(Breaks), DisableDiscoveryEnumeration = true)]
    public void Break_NamesMethodFileLineAndWhatToWriteInstead(string reason, string advice, Func<Tensor, Tensor> body)
    {
        using var _ = no_grad();
        using var module = new Body(body);
        using var compiled = module.Compile(new CompileOptions { FullGraph = true, Mode = CompileMode.Simplified });
        var site = Assert.Throws<GraphBreakException>(() => compiled.forward(Positive())).Break;
        Assert.Contains(reason, site.Reason, StringComparison.Ordinal);
        Assert.Contains(advice, site.Advice, StringComparison.Ordinal);
        Assert.Equal("SplitAdviceTests.cs", Path.GetFileName(site.Origin.File));
        Assert.True(site.Origin.Line > 0);
        Assert.Contains(nameof(SplitAdviceTests), site.Origin.Method, StringComparison.Ordinal);
    }

    [Fact]
    public void ACounter_IsCountedByTheProgramItself()
    {
        using var _ = no_grad();
        using var module = new Counter();
        using var compiled = module.Compile(new CompileOptions { Mode = CompileMode.Simplified });
        for (var i = 1; i < 9; i++)
        {
            using var scope = NewDisposeScope();
            var x = Positive(i);
            Assert.True(compiled.call(x).allclose((x.sin() * i).exp(), 1e-5, 1e-6), compiled.Explain().ToString());
            Assert.Equal(i, module.Calls);
        }

        var report = compiled.Explain();
        Assert.True(report is { EagerCalls: 0, CompiledCalls: >= 3 }, report.ToString());
        Assert.Contains(report.Breaks, site => site.Advice.Contains("count outside", StringComparison.Ordinal));
    }

    [Fact]
    public void WhatCannotBeSplit_RunsAsItIs_AndTheReportSaysWhy()
    {
        using var _ = no_grad();
        using var module = new Body(x =>
        {
            var lazy = Enumerable.Range(1, 3).Select(i => x * i);
            var sum = zeros_like(x);
            foreach (var part in lazy)
            {
                sum = part.sum().item<float>() > 0 ? sum + part : sum;
            }

            return sum;
        });
        using var compiled = module.Compile(new CompileOptions { Mode = CompileMode.Simplified });
        var report = Compare(module, compiled, Positive(1), Positive(2), Negative(1));
        Assert.True(report is { CompiledCalls: 0, EagerCalls: 2 }, report.ToString());
        Assert.Contains("not split", report.ToString(), StringComparison.Ordinal);
    }

    private sealed class Body(Func<Tensor, Tensor> body) : nn.Module<Tensor, Tensor>("body")
    {
        public override Tensor forward(Tensor x) => body(x);
    }

    private sealed class Counter() : nn.Module<Tensor, Tensor>("counter")
    {
        public int Calls { get; private set; }

        public override Tensor forward(Tensor x)
        {
            var h = x.sin();
            Calls++;
            h = h * Calls;
            return h.exp();
        }
    }
}
