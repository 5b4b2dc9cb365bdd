using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Zoo;

/// <summary>Where batch and length are marked dynamic, every animal in the zoo computes what it computes, and further sizes compile nothing.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class ZooSizesTests
{
    private static readonly (int Batch, int Length)[] _sizes = [(2, 7), (3, 9), (2, 12), (4, 5), (3, 16), (5, 6)];

    /// <summary>Animals that do something else for another length: of six sizes, how many are captured.</summary>
    private static readonly Dictionary<string, (int Captured, string Why)> _own = new()
    {
        ["LSTM by hand"] = (6, "the program does something else for another size of dimension 1"),
        ["LSTM and GRU"] = (6, "the program does something else for another size of dimension 1"),
        ["kitchen sink"] = (4, "the program does something else for another size"),
    };

    /// <summary>Animals with a causal mask for 16 positions: at that length it lies in one piece, for which there is a kernel of its own.</summary>
    private static readonly string[] _masked = ["GPT by hand", "GPT in training"];

    public static TheoryData<string> Names => ZooTests.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void FurtherSizesCompileNothing(string name)
    {
        var specimen = Animals.All.First(specimen => specimen.Name == name);
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        manual_seed(7);
        using var module = specimen.Make();
        module.train(specimen.Trains);
        if (specimen.FillsTables)
        {
            specimen.Eager(module, specimen.Inputs(1, 30, ScalarType.Float32));
        }

        var (small, large) = (specimen.Inputs(2, 7, ScalarType.Float32), specimen.Inputs(3, 9, ScalarType.Float32));
        var dynamic = small.SelectMany((x, i) => Enumerable.Range(0, (int)x.dim()).Where(d => x.shape[d] != large[i].shape[d]).Select(d => new DynamicDimension(i, d)));
        var compiled = specimen.Compile(module, new CompileOptions { Dynamic = [.. dynamic], Cpu = new CpuOptions { IsOptimized = false, CacheFolder = null } });
        using var compiledModule = compiled.Module;
        var seen = new HashSet<string>();
        foreach (var (batch, length) in _sizes)
        {
            using var unit = NewDisposeScope();
            var inputs = specimen.Inputs(batch, length, ScalarType.Float32);
            manual_seed(11);
            var expected = Specimen.TensorsOf(specimen.Eager(module, inputs));
            manual_seed(11);
            var actual = Specimen.TensorsOf(compiled.Call(inputs));
            Assert.Equal(expected.Length, actual.Length);
            foreach (var (wanted, given) in expected.Zip(actual))
            {
                Assert.Equal(wanted.shape, given.shape);
                Assert.True(wanted.allclose(given, 1e-4, 1e-5, true), $"({batch}, {length}) differs");
            }

            var isNew = seen.Add(string.Join(';', inputs.Select(input => string.Join(',', input.shape))));
            if (isNew && seen.Count > 1 && !_own.ContainsKey(name) && !(length == 16 && _masked.Contains(name)) && compiled.Executable() is CompiledGraph { Executable: CpuExecutable cpu })
            {
                Assert.True(cpu.KernelOrigin == KernelOrigin.Memory, $"({batch}, {length}) compiled kernels: {compiled.Explain()}");
            }
        }

        var report = compiled.Explain();
        var (captured, why) = _own.GetValueOrDefault(name, (1, ""));
        Assert.True(report.CapturedCalls == captured && report.Sizes == seen.Count - captured && report.EagerCalls == 0, report.ToString());
        Assert.True(why.Length > 0 ? report.OwnSizes.Any(reason => reason.Contains(why, StringComparison.Ordinal)) : report.OwnSizes.IsEmpty, report.ToString());
    }
}
