using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>A module whose forward is written where it is used.</summary>
internal sealed class Written(Func<Tensor, Tensor> body) : nn.Module<Tensor, Tensor>(nameof(Written))
{
    public override Tensor forward(Tensor input) => body(input);
}

/// <summary>What the tests of capture ask again and again.</summary>
internal static class Compiling
{
    /// <summary>Two calls of the compiled module give what the module gives.</summary>
    public static void Agrees<T>(CompiledModule<Tensor, T> compiled, Tensor x, double tolerance = 1e-5)
    {
        using var scope = NewDisposeScope();
        for (var call = 0; call < 2; call++)
        {
            manual_seed(5);
            var expected = Zoo.Specimen.TensorsOf(compiled.Module.call(x));
            manual_seed(5);
            var actual = Zoo.Specimen.TensorsOf(compiled.call(x));
            Assert.Equal(expected.Length, actual.Length);
            foreach (var (wanted, given) in expected.Zip(actual))
            {
                Same(wanted, given, tolerance);
            }
        }
    }

    /// <summary>Two tensors are equal, or nearly.</summary>
    public static void Same(Tensor expected, Tensor actual, double tolerance = 1e-5)
    {
        using var scope = NewDisposeScope();
        Assert.Equal((expected.dtype, string.Join(',', expected.shape)), (actual.dtype, string.Join(',', actual.shape)));
        var (a, b) = (expected.to(ScalarType.Float64), actual.to(ScalarType.Float64));
        if (a.numel() == 0)
        {
            return;
        }

        var difference = a.sub(b).abs().max().item<double>();
        Assert.True(difference <= tolerance * Math.Max(1e-30, a.abs().max().item<double>()), $"they differ by {difference}: {expected.str()} and {actual.str()}");
    }

    /// <summary>Calls that were captured, served by a graph, and run as they are.</summary>
    public static void Counts(CompileReport report, long captured, long compiled, long eager = 0) =>
        Assert.True(report.CapturedCalls == captured && report.CompiledCalls == compiled && report.EagerCalls == eager, $"{captured}/{compiled}/{eager} expected: {report}");
}
