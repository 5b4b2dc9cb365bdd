using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Zoo;

/// <summary>A compiled module computes what the module computes, for every animal in the zoo.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class ZooTests
{
    public static TheoryData<string> Names => [.. Animals.All.Select(specimen => specimen.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void CompiledIsEagerIsInterpreted(string name)
    {
        var specimen = Animals.All.First(specimen => specimen.Name == name);
        Check(specimen, ScalarType.Float32, 1e-5);
        if (specimen.HasBFloat16)
        {
            Check(specimen with { Sizes = specimen.Sizes[..1] }, ScalarType.BFloat16, 1e-2);
        }
    }

    private static void Check(Specimen specimen, ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        manual_seed(7);
        using var module = specimen.Make();
        module.train(specimen.Trains);
        module.to(type);
        using var twin = Twin(specimen, module, type);
        if (specimen.FillsTables)
        {
            Array.ForEach([module, twin], each => specimen.Eager(each, specimen.Inputs(1, 12, type)));
        }

        var compiled = specimen.Compile(module, new CompileOptions { RecompileLimit = 32, Cpu = new CpuOptions { IsOptimized = false } });
        var interpreted = specimen.Compile(twin, new CompileOptions { RecompileLimit = 32, Backend = graph => new GraphInterpreter(graph) });
        using var compiledModule = compiled.Module;
        using var interpretedModule = interpreted.Module;
        var expectedCalls = 0;
        foreach (var (batch, length) in specimen.Sizes)
        {
            foreach (var isStrided in new[] { false, true })
            {
                if (isStrided && (type != ScalarType.Float32 || batch == 1))
                {
                    continue;
                }

                var inputs = specimen.Inputs(batch, length, type);
                inputs = isStrided ? [.. inputs.Select(Strided)] : inputs;
                for (var call = 0; call < 2; call++)
                {
                    using var unit = NewDisposeScope();
                    var what = $"{specimen} {type} batch {batch} length {length}{(isStrided ? " strided" : "")} call {call}";
                    var expected = Seeded(() => specimen.Eager(twin, inputs));
                    var actual = Seeded(() => compiled.Call(inputs));
                    Same(expected, actual, call == 0 ? tolerance / 10 : tolerance, what);

                    // What the call changes in the module (statistics of a batch norm) is changed once by each.
                    SameState(twin, module, tolerance, what);
                    var state = twin.state_dict().ToDictionary(pair => pair.Key, pair => pair.Value.clone());
                    Same(expected, Seeded(() => interpreted.Call(inputs)), tolerance, what + " interpreted");
                    foreach (var (key, value) in twin.state_dict())
                    {
                        value.copy_(state[key]);
                    }
                }

                expectedCalls++;
                var report = compiled.Explain();
                Assert.True(report.CompiledCalls == expectedCalls && report.CapturedCalls == expectedCalls && report is { EagerCalls: 0, Breaks.IsEmpty: true }, $"{specimen} {type}: {report}");
                Assert.True(interpreted.Explain().CompiledCalls == expectedCalls, $"{specimen} {type} interpreted: {interpreted.Explain()}");
            }
        }

        var opaque = compiled.Explain().OpaqueCalls.Select(call => call.Split(' ')[0]).Distinct().Order();
        Assert.Equal(specimen.Opaque.Where(_ => !DispatcherCapture.IsAvailable).Order(), opaque); // the dispatcher opens them
        Assert.Null(((CompiledGraph)compiled.Executable()).WhyInterpreted);
    }

    /// <summary>Another of the same weights.</summary>
    private static nn.Module Twin(Specimen specimen, nn.Module module, ScalarType type)
    {
        var twin = specimen.Make();
        twin.train(specimen.Trains);
        twin.to(type);
        foreach (var (name, value) in module.state_dict())
        {
            twin.state_dict()[name].copy_(value);
        }

        return twin;
    }

    private static object? Seeded(Func<object?> call)
    {
        manual_seed(11);
        return call();
    }

    /// <summary>The same values with other strides.</summary>
    private static Tensor Strided(Tensor x) => stack([x, x.mul(2)], -1).select(-1, 0);

    private static void SameState(nn.Module expected, nn.Module actual, double tolerance, string what)
    {
        foreach (var (name, value) in expected.state_dict())
        {
            Assert.True(Error(value, actual.state_dict()[name]) <= tolerance, $"{what}: {name}");
        }
    }

    private static void Same(object? expected, object? actual, double tolerance, string what)
    {
        Assert.Equal(expected!.GetType(), actual!.GetType());
        var (wanted, given) = (Specimen.TensorsOf(expected), Specimen.TensorsOf(actual));
        Assert.Equal(wanted.Length, given.Length);
        for (var i = 0; i < wanted.Length; i++)
        {
            Assert.Equal(wanted[i].dtype, given[i].dtype);
            Assert.Equal(wanted[i].shape, given[i].shape);
            Assert.True(Error(wanted[i], given[i]) <= tolerance, $"{what}: result {i} differs by {Error(wanted[i], given[i])}");
        }
    }

    /// <summary>The greatest difference beside the greatest value; in bfloat16, where one unit of the last place is 0.8 % of a value, the root mean square of both.</summary>
    private static double Error(Tensor expected, Tensor actual)
    {
        using var scope = NewDisposeScope();
        if (expected.numel() == 0)
        {
            return 0;
        }

        var (a, b) = (expected.to(ScalarType.Float64), actual.to(ScalarType.Float64));
        var same = a.eq(b); // infinities
        var (difference, size) = (a.sub(b).abs().masked_fill(same, 0), a.abs().masked_fill(a.isinf(), 0));
        return expected.dtype == ScalarType.BFloat16
            ? difference.norm().item<double>() / Math.Max(size.norm().item<double>(), 1e-30)
            : difference.max().item<double>() / Math.Max(size.max().item<double>(), 1e-30);
    }
}
