using Toolkit.Graphs;
using TorchSharp;
using static Toolkit.Tests.Graphs.Capture.SplitCheck;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Calls that are split where a value steers the program: the parts are graphs, and the result is the module's own.</summary>
public sealed partial class SplitTests
{
    private static readonly CompileOptions _quick = new() { Mode = CompileMode.Simplified };

    [Fact]
    public void Flat_BothBranchesAreGraphs()
    {
        using var module = new Flat();
        var report = Serves(module, CompileMode.Kernels, 2, 3, Positive(1), Positive(2), Negative(3), Negative(4), Positive(5));
        var site = Assert.Single(report.Breaks);
        Assert.Equal("Flat.forward", site.Origin.Method);
        Assert.Contains("torch.where", site.Advice, StringComparison.Ordinal);
        Assert.EndsWith("SplitTests.Modules.cs", site.Origin.File, StringComparison.Ordinal);
        Assert.True(site.Origin.Line > 0);
    }

    [Fact]
    public void FullGraph_IsAnError()
    {
        using var _ = no_grad();
        using var module = new Flat();
        using var compiled = module.Compile(new CompileOptions { FullGraph = true });
        Assert.Throws<GraphBreakException>(() => compiled.forward(Positive()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EarlyExit_InALoopOverLayers(bool each)
    {
        using var module = new EarlyExit(each);
        Serves(module, 1, 6, Positive(1), Positive(1) * 100f, Positive(1), Positive(1) * 100f, Positive(2));
    }

    [Fact]
    public void BreakInAChild()
    {
        using var module = nn.Sequential(("a", nn.Linear(8, 8)), ("flat", new Flat()), ("b", nn.Linear(4, 2)));
        var report = Serves(module, 1, 2, Ones(1), Ones(1), Ones(1));
        Assert.Equal("flat", Assert.Single(report.Breaks).Origin.Module);
    }

    [Fact]
    public void BreakInAHelper_AndTwoBreaks()
    {
        using var module = new Helper();
        var report = Serves(module, 3, 5, Positive(1), Positive(2), Negative(1), Negative(1) * 50f, Negative(1) * 50f, Negative(2), Positive(3));
        Assert.Equal(2, report.Breaks.Length);
        Assert.Contains(report.Breaks, site => site.Origin.Method == "Helper.Choose");
    }

    [Fact]
    public void TryCatchFinally_Run()
    {
        using var module = new Cleaning();
        Serves(module, 1, 2, Positive(1), Positive(2), Negative(1), Positive(3), Negative(1));
        Assert.Equal("closed", module.State);
    }

    [Fact]
    public void ExceptionAfterTheBreak_IsTheProgramsOwn()
    {
        using var _ = no_grad();
        using var module = new Cleaning { Throws = true };
        using var compiled = module.Compile(_quick);
        Compare(module, compiled, Positive(1), Positive(2));
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal("negative", Assert.Throws<InvalidOperationException>(() => compiled.forward(Negative(1))).Message);
            Assert.Equal("closed", module.State);
        }

        var report = Compare(module, compiled, Positive(3));
        Assert.True(report is { EagerCalls: 0, CompiledCalls: 4 }, report.ToString());
    }

    [Fact]
    public void NumberThatIsUsedAfterwards_IsThatOfTheCall()
    {
        using var module = new Scaled();
        using var _ = no_grad();
        using var compiled = module.Compile(_quick);
        var report = Compare(module, compiled, [.. Enumerable.Range(1, 8).Select(Positive)]);
        Assert.True(report is { EagerCalls: 0, CompiledCalls: >= 5 }, report.ToString());
    }

    [Fact]
    public void ListClosureAndTuple_AreBuiltAcrossTheBreak()
    {
        using var module = new Collecting();
        Serves(module, 2, 5, Positive(1), Positive(2), Negative(1), Negative(2), Positive(3));
    }

    [Fact]
    public void Console_PrintsAtEachCall()
    {
        using var module = new Printing();
        var before = Console.Out;
        using var text = new StringWriter();
        Console.SetOut(text);
        try
        {
            Serves(module, 1, 2, Positive(1), Positive(1), Positive(1));
        }
        finally
        {
            Console.SetOut(before);
        }

        Assert.Equal(6, text.ToString().Split("mean ").Length - 1);
    }

    [Fact]
    public void Gradients_AreEagers()
    {
        using var module = new Flat();
        using var compiled = module.Compile(_quick);
        foreach (var x in (Tensor[])[Positive(1), Positive(2), Negative(3), Negative(4)])
        {
            var expected = Gradients(module, module.call(x));
            var actual = Gradients(module, compiled.call(x));
            for (var i = 0; i < expected.Length; i++)
            {
                Assert.True(actual[i].allclose(expected[i], 1e-5, 1e-6));
            }
        }

        var report = compiled.Explain();
        Assert.True(report is { EagerCalls: 0, CompiledCalls: 2, CapturedCalls: 2 }, report.ToString());
    }

    [Fact]
    public void InPlaceAfterTheBreak_ReachesViewsMadeBefore()
    {
        using var module = new Views();
        using var _ = no_grad();
        using var compiled = module.Compile(_quick);
        var report = Compare(module, compiled, Positive(1), Positive(2), Positive(3));

        // Two of the tensors that are alive at the break lie in the same memory and one is changed: such calls run as they are, and that is said.
        Assert.Contains(report.Breaks, entry => entry.Reason.Contains("lies in the same memory", StringComparison.Ordinal));
    }

    [Fact]
    public void Device_IsAliveAcrossTheBreak()
    {
        using var module = new Written(x =>
        {
            var device = x.device; // another object each time
            return x.mean().item<float>() > 0 ? x + ones(8, device: device) : x;
        });
        Serves(module, 1, 2, Positive(1), Positive(2), Positive(3));
    }

    /// <summary>Two that lay in the same memory are two that did, though both are freed when the call ends: no other graph for each call.</summary>
    [Fact]
    public void InPlaceAfterTheBreak_OnAnotherHandleOfWhatIsFreed()
    {
        using var module = new Written(x =>
        {
            using var sum = x.sum(-1, keepdim: true);
            using var same = sum.to(ScalarType.Float32);
            var s = x.mean().item<float>();
            using var changed = same.mul_(s);
            return x * changed;
        });
        Serves(module, 2, 3, Positive(1), Positive(2), Positive(3), Positive(4));
    }

    [Fact]
    public void FieldsAndInPlaceChanges_AreDoneOnceInOrder()
    {
        using var eager = new Counting();
        using var module = new Counting();
        using var _ = no_grad();
        using var compiled = module.Compile(_quick);
        for (var i = 1; i < 5; i++)
        {
            var x = Positive(i);
            Assert.True(compiled.call(x).allclose(eager.call(x)));
            Assert.True(module.Total.allclose(eager.Total));
            Assert.True(module.Last!.allclose(eager.Last!));
        }

        var report = compiled.Explain();
        Assert.True(report is { EagerCalls: 0, CompiledCalls: 3 }, report.ToString());
    }

    private static Tensor Ones(int seed) => ones(3, 8) * seed;

    private static Tensor[] Gradients(nn.Module module, Tensor result)
    {
        module.zero_grad();
        result.square().sum().backward();
        return [.. module.parameters().Where(parameter => parameter.grad is not null).Select(parameter => parameter.grad!.clone())];
    }
}
