using Toolkit.Graphs;
using TorchSharp;
using static Toolkit.Tests.Graphs.Capture.SplitCheck;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Scopes that are open at a break.</summary>
public sealed class SplitScopeTests
{
    private static readonly CompileOptions _quick = new() { Mode = CompileMode.Simplified };

    [Fact]
    public void DisposeScope_OwnsWhatItOwnsInEager()
    {
        using var module = new Scoped();
        using var _ = no_grad();
        using var compiled = module.Compile(_quick);
        for (var i = 1; i < 6; i++)
        {
            using var scope = NewDisposeScope();
            var x = i % 2 == 0 ? Negative(i) : Positive(i);
            var before = scope.DisposablesCount;
            var expected = module.call(x);
            var eager = scope.DisposablesCount - before;
            var actual = compiled.call(x);
            Assert.Equal(eager, scope.DisposablesCount - before - eager);
            Assert.True(actual.allclose(expected, 1e-5, 1e-6));
        }

        var report = compiled.Explain();
        Assert.True(report is { EagerCalls: 0, CapturedCalls: 2, CompiledCalls: 3 }, report.ToString());
        Assert.All(report.Breaks, site => Assert.Contains("item", site.Reason, StringComparison.Ordinal)); // that a scope ends is nothing to write otherwise
    }

    [Fact]
    public void WithoutAScopeOutside_TheResultLives()
    {
        using var module = new Scoped();
        using var _ = no_grad();
        using var compiled = module.Compile(_quick);
        for (var i = 1; i < 4; i++)
        {
            using var x = Positive(i);
            using var actual = compiled.call(x);
            using var expected = module.call(x);
            Assert.False(actual.IsInvalid);
            Assert.True(actual.allclose(expected, 1e-5, 1e-6));
        }

        Assert.Equal(2, compiled.Explain().CompiledCalls);
    }

    [Fact]
    public void NoGradAcrossTheBreak_StaysOffUntilItEnds()
    {
        using var module = new Frozen();
        using var compiled = module.Compile(_quick);
        for (var i = 1; i < 5; i++)
        {
            using var scope = NewDisposeScope();
            var x = Positive(i);
            var expected = module.call(x);
            var actual = compiled.call(x);
            Assert.True(is_grad_enabled());
            Assert.True(actual.allclose(expected, 1e-5, 1e-6));
            Assert.Equal(expected.requires_grad, actual.requires_grad);
        }
    }

    [Fact]
    public void ALock_RunsAsItIs()
    {
        using var module = new Locked();
        using var _ = no_grad();
        using var compiled = module.Compile(_quick);
        var report = Compare(module, compiled, Positive(1), Positive(2), Positive(3));
        Assert.True(report is { EagerCalls: 2, CompiledCalls: 0 }, report.ToString());
        Assert.Contains("a lock is held", report.ToString(), StringComparison.Ordinal);
        Assert.False(Monitor.IsEntered(module.Gate));
    }

    private sealed class Scoped : nn.Module<Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> _a = nn.Linear(8, 8);

        public Scoped()
            : base("scoped") => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            var outside = x.cos();
            using var scope = NewDisposeScope();
            var h = _a.call(x).relu();
            var g = h + 1f;
            if (x.mean().item<float>() > 0)
            {
                return (g * h + outside).MoveToOuterDisposeScope();
            }

            using var inner = NewDisposeScope();
            var d = g - h.exp();
            return (d.sum() > 1e9f).item<bool>() ? x : d.sigmoid().MoveToOuterDisposeScope().MoveToOuterDisposeScope();
        }
    }

    private sealed class Frozen : nn.Module<Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> _a = nn.Linear(8, 8);
        private readonly nn.Module<Tensor, Tensor> _b = nn.Linear(8, 8);

        public Frozen()
            : base("frozen") => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            Tensor h;
            using (no_grad())
            {
                h = _a.call(x).relu();
                if (h.sum().item<float>() > 0)
                {
                    h = h * 2f;
                }

                h = h + 1f;
            }

            return _b.call(h).tanh();
        }
    }

    private sealed class Locked() : nn.Module<Tensor, Tensor>("locked")
    {
        public object Gate { get; } = new();

        public override Tensor forward(Tensor x)
        {
            lock (Gate)
            {
                var h = x.sin();
                return h.sum().item<float>() > 0 ? h.exp() : h;
            }
        }
    }
}
