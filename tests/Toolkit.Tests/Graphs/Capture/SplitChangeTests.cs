using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>What the part of a call after a break changes in place.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class SplitChangeTests : InferenceTests
{
    [Fact]
    public void WhatItMakesItself_IsChangedByKernels()
    {
        using var module = new Written(x =>
        {
            var sign = (x * 2).sum().ToSingle() > 1e6f ? -1 : 1;
            var y = (x * sign + 1).tanh();
            y.add_(x);
            y[.., ..2].mul_(2);
            return y.exp() + y;
        });
        using var compiled = module.Compile();
        SplitCheck.Compare(module, compiled, SplitCheck.Positive(), SplitCheck.Negative(), SplitCheck.Positive(3));
        Assert.Null(Assert.IsType<CompiledGraph>(compiled.Executable).WhyInterpreted);
    }

    [Fact]
    public void WhatWasMadeBefore_IsChangedWithAllItsViews()
    {
        using var module = new Written(x =>
        {
            var y = (x * 2).sin();
            var view = y[.., ..2];
            var sign = y.sum().ToSingle() > 1e6f ? -1 : 1;
            var z = y.exp() * sign;
            z.add_(1);
            y.add_(z);
            return view + z[.., ..2];
        });
        using var compiled = module.Compile();
        SplitCheck.Compare(module, compiled, SplitCheck.Positive(), SplitCheck.Negative(), SplitCheck.Positive(3));
    }
}
