using Toolkit.Graphs;
using TorchSharp;
using static Toolkit.Tests.Graphs.Capture.SplitCheck;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

public sealed class SplitTests
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
        Assert.EndsWith("SplitTests.cs", site.Origin.File, StringComparison.Ordinal);
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

    private sealed class Flat : nn.Module<Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> _first = nn.Linear(8, 8);
        private readonly nn.Module<Tensor, Tensor> _a = nn.Linear(8, 4);
        private readonly nn.Module<Tensor, Tensor> _b = nn.Linear(8, 4);

        public Flat()
            : base("flat") => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            var h = nn.functional.gelu(_first.call(x)) + x;
            if (x.mean().item<float>() > 0)
            {
                return _a.call(h).tanh();
            }

            return _b.call(h).sigmoid();
        }
    }

    private sealed class EarlyExit : nn.Module<Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.ModuleList<nn.Module<Tensor, Tensor>> _layers = new([.. Enumerable.Range(0, 5).Select(_ => nn.Linear(8, 8))]);
        private readonly nn.Module<Tensor, Tensor> _head = nn.Linear(8, 2);
        private readonly bool _each;

        public EarlyExit(bool each)
            : base("exit")
        {
            _each = each;
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            if (_each)
            {
                foreach (var layer in _layers)
                {
                    x = layer.call(x).tanh() + x;
                    if (x.abs().max().ToSingle() > 30)
                    {
                        break;
                    }
                }
            }
            else
            {
                for (var i = 0; i < _layers.Count; i++)
                {
                    x = _layers[i].call(x).tanh() + x;
                    if (x.abs().max().ToSingle() > 30)
                    {
                        break;
                    }
                }
            }

            return _head.call(x);
        }
    }

    private sealed class Helper : nn.Module<Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> _a = nn.Linear(8, 8);

        public Helper()
            : base("helper") => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            var (h, isHigh) = Choose(_a.call(x).relu(), x);
            var scaled = h * 2f;
            if ((scaled.sum() > 100f).item<bool>() && !isHigh)
            {
                scaled = scaled - 1f;
            }

            return scaled.exp().log();
        }

        private (Tensor Value, bool IsHigh) Choose(Tensor h, Tensor x)
        {
            var m = x.mean();
            return m.ToSingle() > 0 ? (h.sin() + 1f, true) : (x.square(), false);
        }
    }

    private sealed class Cleaning() : nn.Module<Tensor, Tensor>("cleaning")
    {
        public bool Throws { get; init; }

        public string State { get; private set; } = "closed";

        public override Tensor forward(Tensor x)
        {
            var h = x * 3f;
            try
            {
                State = "open";
                h = h.tanh();
                if (h.sum().item<float>() < 0)
                {
                    throw new InvalidOperationException("negative");
                }

                h = h + 1f;
            }
            catch (InvalidOperationException) when (!Throws)
            {
                return x;
            }
            finally
            {
                State = "closed";
            }

            return h.exp();
        }
    }

    private sealed class Scaled() : nn.Module<Tensor, Tensor>("scaled")
    {
        public override Tensor forward(Tensor x)
        {
            var s = x.mean().item<float>();
            var y = x * s;
            return y.tanh().exp() + 1f;
        }
    }

    private sealed class Collecting() : nn.Module<Tensor, Tensor>("collecting")
    {
        public override Tensor forward(Tensor x)
        {
            var parts = new List<Tensor>();
            var pair = (First: x.sin(), Second: x.cos());
            Func<Tensor, Tensor> shift = t => t + pair.First;
            for (var i = 0; i < 2; i++)
            {
                parts.Add(shift(x * (i + 1)));
                if (parts[i].sum().item<float>() > 0)
                {
                    parts.Add(pair.Second);
                }
            }

            var (a, b) = (parts[0], parts[^1]);
            return cat([.. parts], 0).sum(0) + (a * b).sum(0);
        }
    }

    private sealed class Printing() : nn.Module<Tensor, Tensor>("printing")
    {
        public override Tensor forward(Tensor x)
        {
            var h = x.sin();
            Console.WriteLine($"mean {h.mean().item<float>():F3}");
            return h.exp() + x;
        }
    }

    private sealed class Views() : nn.Module<Tensor, Tensor>("views")
    {
        public override Tensor forward(Tensor x)
        {
            var h = x * 2f;
            var view = h.view(-1);
            if (h.sum().item<float>() > 0)
            {
                view.add_(1f);
            }

            return h.exp();
        }
    }

    private sealed class Counting : nn.Module<Tensor, Tensor>
    {
        public Counting()
            : base("counting")
        {
            Total = zeros(8);
            register_buffer("total", Total);
        }

        public Tensor Total { get; }

        public Tensor? Last { get; private set; }

        public override Tensor forward(Tensor x)
        {
            Total.add_(x.sum(0));
            Last = (x + 1f).DetachFromDisposeScope();
            if (Total.sum().item<float>() > 0)
            {
                Total.mul_(0.5f);
                return x + Total;
            }

            return x;
        }
    }
}
