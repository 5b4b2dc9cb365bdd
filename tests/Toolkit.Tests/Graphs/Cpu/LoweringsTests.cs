using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>Every operator that has a loop, by itself, in every type, against its evaluation.</summary>
public sealed class LoweringsTests
{
    [Fact]
    public void Every_loop_computes_what_its_operator_does()
    {
        var graphs = new List<Graph>();
        var covered = new HashSet<string>();
        foreach (var name in Lowerings.Names.Where(name => Operators.Find(name) is not null).Order(StringComparer.Ordinal))
        {
            foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64, ScalarType.BFloat16, ScalarType.Float16, ScalarType.Int64, ScalarType.Int32, ScalarType.Byte, ScalarType.Bool })
            {
                if (Make(Operators.Get(name), type) is { } graph && Lowerings.Find(graph.Nodes[0]) is not null)
                {
                    graphs.Add(graph);
                    covered.Add(name);
                }
            }
        }

        Assert.True(covered.Count > 80, $"only {covered.Count} operators: {string.Join(' ', covered)}");
        var executables = CpuExecutable.Compile(graphs, new() { CacheFolder = null, IsOptimized = false });
        var wrong = executables.Select(Difference).OfType<string>().ToArray();
        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
    }

    /// <summary>Whoever converts to fewer bits and back asks for what is lost, in a kernel too.</summary>
    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void A_conversion_rounds(ScalarType type)
    {
        var graphs = new[] { ScalarType.Float32, ScalarType.Float64 }.Select(wide =>
        {
            var g = new GraphBuilder();
            var x = g.Input(new(wide, [3, 37]), GraphInputKind.Argument, "x");
            return g.Build([g.Add("aten::sub.Tensor", x, g.Add("aten::_to_copy", g.Add("aten::_to_copy", x, type), wide))]);
        });
        foreach (var executable in CpuExecutable.Compile(graphs, new() { CacheFolder = null, IsOptimized = false }))
        {
            using var scope = NewDisposeScope();
            using var own = executable;
            Tensor[] x = [randn(3, 37, executable.Graph.Inputs[0].Type.DType)];
            Assert.Empty(executable.FallbackCalls);
            CpuBackendTests.Close(x[0] - x[0].to(type).to(x[0].dtype), executable.Run(x)[0], 1e-12);
        }
    }

    private static string? Difference(CpuExecutable executable)
    {
        using var scope = NewDisposeScope();
        using var own = executable;
        using var generator = new Generator(5);
        var graph = executable.Graph;
        var inputs = graph.Inputs.Select(input => Sample(input, generator)).ToArray();
        Tensor[] expected;
        try
        {
            expected = GraphInterpreter.Run(graph, inputs);
        }
        catch (Exception problem) when (problem.Message.Contains("not implemented", StringComparison.Ordinal) || problem.Message.Contains("not supported", StringComparison.Ordinal))
        {
            return null; // libtorch itself has no kernel for that type.
        }

        var actual = executable.Run(inputs);
        for (var i = 0; i < expected.Length; i++)
        {
            var (a, b) = (expected[i].to(ScalarType.Float64).nan_to_num(7, 8, 9), actual[i].to(ScalarType.Float64).nan_to_num(7, 8, 9));
            var error = (a - b).abs().max().item<double>() / (a.abs().max().item<double>() + 1e-6);
            var type = graph.Inputs.Length == 0 ? ScalarType.Float32 : graph.Inputs[0].Type.DType;
            var allowed = type switch { ScalarType.BFloat16 => 1e-2, ScalarType.Float16 => 2e-3, ScalarType.Float64 => graph.Nodes[0].Operator.Name == "toolkit::rms_norm" ? 1e-6 : 1e-12, _ => 2e-6 };
            if (expected[i].dtype != actual[i].dtype || !(error <= allowed))
            {
                return $"{graph.Nodes[0]}: differs by {error:E2} ({executable.FallbackCalls.Count} fallbacks)";
            }
        }

        return null;
    }

    private static Tensor Sample(GraphInput input, Generator generator)
    {
        // Positive, so that logarithms and roots are numbers; of both signs otherwise.
        var x = randn(input.Type.Shape.ToArray(), ScalarType.Float32, generator: generator);
        x = input.Path == "positive" ? x.abs() + 0.1 : x;
        return input.Type.DType switch
        {
            ScalarType.Bool => x > 0,
            ScalarType.Float32 or ScalarType.Float64 or ScalarType.BFloat16 or ScalarType.Float16 => x.to(input.Type.DType),
            ScalarType.Byte => (x.abs() * 9).to(ScalarType.Byte),
            _ => (x * 9).to(input.Type.DType),
        };
    }

    private static Graph? Make(Operator op, ScalarType type)
    {
        var builder = new GraphBuilder();
        var isPositive = op.Name is "aten::log" or "aten::sqrt" or "aten::rsqrt" or "aten::log1p" or "aten::pow.Tensor_Tensor" or "aten::reciprocal" or "aten::pow.Tensor_Scalar";
        var arguments = new List<Argument>();
        foreach (var parameter in op.Parameters)
        {
            arguments.Add((parameter.Type, parameter.Name) switch
            {
                ("Tensor", "condition" or "mask") => builder.Input(new(ScalarType.Bool, [6, 19]), GraphInputKind.Argument, "mask"),
                ("Tensor" or "Tensor?", "weight" or "bias" or "running_mean") => builder.Input(new(type, [19]), GraphInputKind.Argument, "weight"),
                ("Tensor", "value") => builder.Input(new(type, []), GraphInputKind.Argument, "value"),
                ("Tensor", _) => builder.Input(new(type, [6, 19]), GraphInputKind.Argument, isPositive ? "positive" : "x"),
                ("Scalar", "alpha") when op.Name.EndsWith(".Scalar", StringComparison.Ordinal) => 1L,
                ("Scalar", _) => type is ScalarType.Int64 or ScalarType.Int32 or ScalarType.Byte ? (Argument)2L : 0.75,
                ("Scalar?", "min") => type is ScalarType.Int64 or ScalarType.Int32 or ScalarType.Byte ? (Argument)2L : 0.25,
                (_, "normalized_shape") => new long[] { 19 },
                (_, "size" or "shape") => new long[] { 6, 1, 19 },
                ("float" or "float?", _) => 1e-3,
                ("int", "dim") => op.Name.Contains("squeeze", StringComparison.Ordinal) ? 0L : -1L,
                ("int[]" or "int[]?", _) => new long[] { -1 },
                ("ScalarType", _) => type,
                _ => parameter.Default ?? (parameter.Type.StartsWith("bool", StringComparison.Ordinal) ? false : NoArgument.Instance),
            });
        }

        try
        {
            return builder.Build(builder.Add(op, [.. arguments]).Outputs);
        }
        catch (Exception problem) when (problem is GraphException or InvalidOperationException)
        {
            return null; // Not for that type.
        }
    }
}
