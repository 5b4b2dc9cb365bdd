using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Compares calls of a compiled module with eager ones.</summary>
internal static class SplitCheck
{
    /// <summary>Calls both with each input, in order, and says what became of the calls.</summary>
    public static CompileReport Compare(nn.Module<Tensor, Tensor> module, CompiledModule<Tensor, Tensor> compiled, params Tensor[] inputs)
    {
        foreach (var x in inputs)
        {
            using var scope = NewDisposeScope();
            var expected = module.call(x);
            var actual = compiled.call(x);
            Assert.True(actual.allclose(expected, 1e-5, 1e-6), $"{actual.jlstr()} is not {expected.jlstr()}; {compiled.Explain()}");
        }

        return compiled.Explain();
    }

    /// <summary>Compiles without gradients, compares, and asserts that all calls but those that captured were served by graphs.</summary>
    public static CompileReport Serves(nn.Module<Tensor, Tensor> module, int captured, int graphs, params Tensor[] inputs) =>
        Serves(module, CompileMode.Simplified, captured, graphs, inputs);

    /// <inheritdoc cref="Serves(nn.Module{Tensor, Tensor}, int, int, Tensor[])"/>
    public static CompileReport Serves(nn.Module<Tensor, Tensor> module, CompileMode mode, int captured, int graphs, params Tensor[] inputs)
    {
        using var _ = no_grad();
        using var compiled = module.Compile(new CompileOptions { Mode = mode });
        var report = Compare(module, compiled, inputs);
        Assert.True(report.EagerCalls == 0 && report.CapturedCalls == captured && report.CompiledCalls == inputs.Length - captured && report.Graphs.Length == graphs, report.ToString());
        Assert.True(report.Breaks.Length > 0, report.ToString());
        return report;
    }

    /// <summary>A tensor with a mean above zero.</summary>
    public static Tensor Positive(int seed = 1) => Numbers(seed).abs();

    /// <summary>A tensor with a mean below zero.</summary>
    public static Tensor Negative(int seed = 2) => Numbers(seed).abs().neg();

    private static Tensor Numbers(int seed)
    {
        using var generator = new Generator((ulong)seed);
        return randn([3, 8], generator: generator) + 0.01f;
    }
}
