using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>The errors that the prelude states, in units in the last place, over 200,000 floats of each range.</summary>
public sealed class VectorMathTests
{
    public static TheoryData<string, double, double, double> Functions => new()
    {
        { "exp", -87, 88.7, 1.0 },
        { "tanh", -12, 12, 5.0 },
        { "sigmoid", -20, 20, 3.7 },
        { "sigmoid", -80, 80, 5.4 },
        { "silu", -20, 20, 3.7 },
        { "silu", -80, 80, 5.4 },
        { "erf", -5, 5, 4.9 },
        { "log", 1e-30, 1e30, 1.7 },
        { "sin", -100, 100, 0.6 },
        { "cos", -100, 100, 0.6 },
        { "rsqrt", 1e-30, 1e30, 1.5 },
    };

    [Theory]
    [MemberData(nameof(Functions))]
    public void Errors_are_as_stated(string name, double from, double to, double ulps)
    {
        const int Count = 200_000;
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [Count]), GraphInputKind.Argument, "x");
        using var executable = CpuBackend.Compile(g.Build([g.Add($"aten::{name}", x)]), new CpuOptions { CacheFolder = null });
        using var scope = NewDisposeScope();

        // Half evenly spread, half by magnitude: small numbers have their own errors.
        var even = linspace(from, to, Count / 2, ScalarType.Float64);
        var magnitudes = logspace(Math.Log10(Math.Max(from, 1e-30)), Math.Log10(to), Count / 2, 10, ScalarType.Float64);
        var input = cat([even, from < 0 ? magnitudes * (arange(Count / 2) % 2 * 2 - 1) : magnitudes]).clamp(from, to).to(ScalarType.Float32);
        var exact = GraphInterpreter.Run(Double(name, Count), [input.to(ScalarType.Float64)])[0];
        var rounded = exact.to(ScalarType.Float32).abs().clamp(1.2e-38);
        var spacing = pow(tensor(2.0, ScalarType.Float64), (rounded.to(ScalarType.Float64).log2().floor() - 23).clamp(-149));
        var error = ((executable.Run([input])[0].to(ScalarType.Float64) - exact).abs() / spacing).max().item<double>();
        Assert.True(error <= ulps, $"{name} is off by {error:F2} ulp");
        TestContext.Current.SendDiagnosticMessage($"{name}: {error:F3} ulp");
    }

    [Fact]
    public void What_is_no_number_stays_none()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [8]), GraphInputKind.Argument, "x");
        string[] names = ["exp", "tanh", "sigmoid", "erf"];
        using var executable = CpuBackend.Compile(g.Build(names.Select(name => g.Add($"aten::{name}", x)).ToArray()), new CpuOptions { CacheFolder = null });
        using var scope = NewDisposeScope();
        var input = tensor(new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0, -0f, 1e-40f, 3e38f, -3e38f });
        var actual = executable.Run([input]);
        var expected = new[] { input.exp(), input.tanh(), input.sigmoid(), input.erf() };
        for (var i = 0; i < names.Length; i++)
        {
            Assert.Equal(expected[i].data<float>().ToArray(), actual[i].data<float>().ToArray(), (a, b) => a.Equals(b) || Math.Abs(a - b) < 1e-38);
        }
    }

    /// <summary>Gelu is nearly 0 far below 0, so its errors are measured beside x.</summary>
    [Theory]
    [InlineData("none", 16)]
    [InlineData("none", 8)]
    [InlineData("none", 4)]
    [InlineData("tanh", 16)]
    [InlineData("tanh", 8)]
    public void Gelu_is_right_everywhere(string approximate, int width)
    {
        const int Count = 100_001;
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [Count]), GraphInputKind.Argument, "x");
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::gelu", x, approximate)]), new CpuOptions { CacheFolder = null, VectorWidth = width });
        using var scope = NewDisposeScope();
        var input = cat([linspace(-12, 12, Count - 9), tensor(new[] { 0, -0f, 1e-40f, 1e4f, -1e4f, 3e38f, -3e38f, float.PositiveInfinity, float.NaN })]);
        var wide = input.to(ScalarType.Float64);
        var exact = approximate == "none" ? wide * 0.5 * (1 + (wide * Math.Sqrt(0.5)).erf()) : wide * 0.5 * (1 + (Math.Sqrt(2 / Math.PI) * (wide + (0.044715 * wide.pow(3)))).tanh());
        var actual = executable.Run([input])[0].to(ScalarType.Float64);
        var error = (actual - exact).abs() / wide.abs().clamp(1e-38, 10);
        var greatest = error[TensorIndex.Slice(0, Count - 6)].max().item<double>();
        Assert.True(greatest < 2.5e-7, $"off by {greatest} of x");
        Assert.True((actual - exact)[Count - 5].abs().item<double>() < 1e-6 && (actual - exact)[Count - 3].abs().item<double>() < 1e-6);
        Assert.True((actual / exact - 1)[tensor(new long[] { Count - 6, Count - 4 })].abs().max().item<double>() < 3e-7);
        Assert.Equal((double.PositiveInfinity, double.NaN), (actual[Count - 2].item<double>(), actual[Count - 1].item<double>()));
    }

    /// <summary>Narrow vectors scale by powers of two in another way than wide ones.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    public void Powers_are_right_at_the_ends(int width)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [4000]), GraphInputKind.Argument, "x");
        string[] names = ["exp", "sigmoid", "silu", "tanh"];
        using var executable = CpuBackend.Compile(g.Build(names.Select(name => g.Add($"aten::{name}", x)).ToArray()), new CpuOptions { CacheFolder = null, VectorWidth = width });
        using var scope = NewDisposeScope();
        var input = cat([linspace(-110, 110, 3000), linspace(86, 90, 500), linspace(-105, -86, 494), tensor(new[] { float.NaN, float.PositiveInfinity, 3e38f, -3e38f, 1e-40f, -0f })]);
        var actual = executable.Run([input]);
        var expected = new[] { input.exp(), input.sigmoid(), nn.functional.silu(input), input.tanh() };
        for (var i = 0; i < names.Length; i++)
        {
            Assert.All(expected[i].data<float>().ToArray().Zip(actual[i].data<float>().ToArray()), pair =>
                Assert.True(pair.First.Equals(pair.Second) || Math.Abs(pair.First - pair.Second) < Math.Max(2e-36, 1e-6 * Math.Abs(pair.First)), $"{names[i]}: {pair.First} and {pair.Second}"));
        }
    }

    /// <summary>Far below 0, where e⁻ˣ is infinite, and at the infinities: as libtorch.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    public void What_is_far_away_is_as_in_libtorch(int width)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [19]), GraphInputKind.Argument, "x");
        using var executable = CpuBackend.Compile(
            g.Build([g.Add("aten::sigmoid", x), g.Add("aten::silu", x), g.Add("aten::gelu", x, "none"), g.Add("aten::gelu", x, "tanh"), g.Add("aten::log1p", x)]), new CpuOptions { CacheFolder = null, VectorWidth = width });
        using var scope = NewDisposeScope();
        var input = tensor(new[] { -89, -95, -104, -1e4f, -1e10f, -3e38f, 20, 88, 1e10f }).repeat_interleave(2);
        input = cat([input, tensor(new[] { float.NegativeInfinity })]);
        var actual = executable.Run([input]);
        var expected = new[] { input.sigmoid(), nn.functional.silu(input), nn.functional.gelu(input), nn.functional.gelu(input, TorchSharp.Modules.GELU.Approximate.tanh), input.log1p() };
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.All(expected[i].data<float>().ToArray().Zip(actual[i].data<float>().ToArray()), pair =>
                Assert.True(pair.First.Equals(pair.Second) || Math.Abs(pair.First - pair.Second) <= 1e-6 * Math.Abs(pair.First), $"{i}: {pair.First} and {pair.Second}"));
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    public void Softmax_keeps_what_is_subnormal(int width)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [1, 33]), GraphInputKind.Argument, "x");
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::_softmax", x, -1L, false)]), new CpuOptions { CacheFolder = null, VectorWidth = width });
        using var scope = NewDisposeScope();
        var input = cat([zeros(1), -linspace(86, 108, 31), full(1, float.NegativeInfinity)]).unsqueeze(0);
        var (expected, actual) = (input.to(ScalarType.Float64).softmax(-1), executable.Run([input])[0].to(ScalarType.Float64));
        Assert.True((expected - actual).abs().sub(expected * 1e-6).max().item<double>() <= 1.5e-45);
        Assert.Equal(0, actual[0, 32].item<double>());
    }

    /// <summary>The exponential of softmax is one of its own, for numbers that are not positive.</summary>
    [Fact]
    public void Softmax_is_right_over_all_distances()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [4, 1000]), GraphInputKind.Argument, "x");
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::_softmax", x, -1L, false), g.Add("aten::_log_softmax", x, -1L, false)]), new CpuOptions { CacheFolder = null });
        using var scope = NewDisposeScope();
        var input = cat([-linspace(0, 120, 1000), -logspace(-12, 4, 1000), randn(1000) * 30 + 3000, linspace(-1e-3, 1e-3, 1000)]).view(4, 1000).to(ScalarType.Float32);
        var exact = input.to(ScalarType.Float64).softmax(-1);
        var actual = executable.Run([input]);
        var distance = (actual[0].to(ScalarType.Float64) - exact).abs();
        Assert.True((distance / (exact + 1e-38)).masked_select(exact > 1e-36).max().item<double>() < 1e-6);
        Assert.True(distance.max().item<double>() < 1e-6);
        CpuBackendTests.Close(input.to(ScalarType.Float64).log_softmax(-1).to(ScalarType.Float32), actual[1], 1e-6);

        // What is masked is exactly 0; a row without anything is no number, and stays that.
        input[0, TensorIndex.Slice(1)] = float.NegativeInfinity;
        input[1] = float.NegativeInfinity;
        input[2, 5] = float.NaN;
        var masked = executable.Run([input])[0];
        Assert.Equal(1f, masked[0, 0].item<float>());
        Assert.Equal(0f, masked[0, TensorIndex.Slice(1)].abs().max().item<float>());
        Assert.True(masked[1].isnan().all().item<bool>() && masked[2].isnan().all().item<bool>() && !masked[3].isnan().any().item<bool>());
    }

    private static Graph Double(string name, int count)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float64, [count]), GraphInputKind.Argument, "x");
        return g.Build([g.Add($"aten::{name}", x)]);
    }
}
