using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Ops;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

public sealed class SpecialKernelTests
{
    private static readonly CpuOptions Options = new() { CacheFolder = null };

    [Theory]
    [InlineData(1, 77, 8, 2, 64, "none", null, ScalarType.Float32)]
    [InlineData(1, 77, 8, 8, 64, "bool", null, ScalarType.Float32)]
    [InlineData(1, 200, 4, 1, 128, "float", 30.0, ScalarType.Float32)]
    [InlineData(3, 20, 6, 2, 16, "none", null, ScalarType.Float32)]
    [InlineData(3, 20, 6, 2, 16, "bool", 5.0, ScalarType.Float32)]
    [InlineData(1, 130, 8, 2, 64, "bool", null, ScalarType.BFloat16)]
    public void Attention_of_few_queries(int time, int positions, int heads, int keyValueHeads, int depth, string maskKind, double? cap, ScalarType type)
    {
        var g = new GraphBuilder();
        var q = g.Input(new(type, [2, time, heads, depth]), GraphInputKind.Argument, "q");
        var k = g.Input(new(type, [2, positions, keyValueHeads, depth]), GraphInputKind.Argument, "k");
        var v = g.Input(new(type, [2, positions, keyValueHeads, depth]), GraphInputKind.Argument, "v");
        var mask = maskKind == "none" ? null : g.Input(new(maskKind == "bool" ? ScalarType.Bool : type, [1, 1, time, positions]), GraphInputKind.Argument, "mask");
        Argument none = NoArgument.Instance;
        var y = g.Add("toolkit::attention", q, k, v, mask is null ? none : mask, 0.2, cap is { } c ? c : none);
        using var executable = CpuBackend.Compile(g.Build([y]), Options);
        Assert.Empty(executable.FallbackCalls);
        using var scope = NewDisposeScope();
        Tensor[] inputs = [randn(2, time, heads, depth).to(type), randn(2, positions, keyValueHeads, depth).to(type), randn(2, positions, keyValueHeads, depth).to(type)];
        Tensor? m = maskKind switch
        {
            "bool" => (arange(positions) <= positions / 2).expand(1, 1, time, positions),
            "float" => randn(1, 1, time, positions).to(type),
            _ => null,
        };
        // In float32: with scores and probabilities of bfloat16 the reference itself is off by as much as is allowed.
        Tensor Wide(Tensor tensor) => tensor.to(ScalarType.Float32);
        var expected = Attention.Reference(Wide(inputs[0]), Wide(inputs[1]), Wide(inputs[2]), maskKind == "float" ? Wide(m!) : m, 0.2, cap).to(type);
        inputs = m is null ? inputs : [.. inputs, m];
        CpuBackendTests.Close(expected, executable.Run(inputs)[0], type == ScalarType.Float32 ? 1e-5 : 1e-2);
    }

    [Fact]
    public void Attention_in_the_layout_of_ATen()
    {
        var g = new GraphBuilder();
        Value Input(string name, params long[] shape) => g.Input(new(ScalarType.Float32, Shape.Create(shape)), GraphInputKind.Argument, name);
        var y = g.Add("aten::scaled_dot_product_attention", Input("q", 2, 4, 5, 32), Input("k", 2, 4, 9, 32), Input("v", 2, 4, 9, 32), NoArgument.Instance, 0.0, true);
        using var executable = CpuBackend.Compile(g.Build([y]), Options);
        Assert.Empty(executable.FallbackCalls);
        using var scope = NewDisposeScope();
        Tensor[] inputs = [randn(2, 4, 5, 32), randn(2, 4, 9, 32), randn(2, 4, 9, 32)];
        CpuBackendTests.Close(nn.functional.scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], null!, 0, true), executable.Run(inputs)[0], 1e-5);
    }

    [Theory]
    [InlineData(64, 32)]
    [InlineData(20, 10)]
    [InlineData(24, 6)]
    public void Rotary_turns_pairs(int depth, int half)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [2, 3, 4, depth]), GraphInputKind.Argument, "x");
        var cos = g.Input(new(ScalarType.Float32, [3, 1, half]), GraphInputKind.Argument, "cos");
        var sin = g.Input(new(ScalarType.Float32, [3, 1, half]), GraphInputKind.Argument, "sin");
        using var executable = CpuBackend.Compile(g.Build([g.Add("toolkit::rotary", x, cos, sin)]), Options);
        Assert.Empty(executable.FallbackCalls);
        using var scope = NewDisposeScope();
        var (a, c, s) = (randn(2, 3, 4, depth), randn(3, 1, half), randn(3, 1, half));
        CpuBackendTests.Close(RotaryEmbedding.Reference(a, c, s), executable.Run([a, c, s])[0], 1e-6);
    }

    [Fact]
    public void Embedding_takes_rows_and_says_what_is_out_of_range()
    {
        var g = new GraphBuilder();
        var table = g.Input(new(ScalarType.Float32, [10, 7]), GraphInputKind.Parameter, "table");
        var ids = g.Input(new(ScalarType.Int64, [2, 3]), GraphInputKind.Argument, "ids");
        using var executable = CpuBackend.Compile(g.Build([g.Add("aten::embedding", table, ids)]), Options);
        using var scope = NewDisposeScope();
        var (rows, numbers) = (randn(10, 7), tensor(new long[,] { { 1, 9, 0 }, { 3, 3, 2 } }));
        CpuBackendTests.Close(rows[numbers], executable.Run([rows, numbers])[0], 0);
        var problem = Assert.Throws<GraphException>(() => executable.Run([rows, numbers + 4]));
        Assert.Contains("is no row of a table of 10 rows", problem.Message);
        CpuBackendTests.Close(rows[numbers], executable.Run([rows, numbers])[0], 0);
    }

    [Fact]
    public void A_cache_is_written_in_place_and_read_after_that()
    {
        var g = new GraphBuilder();
        var cache = g.Input(new(ScalarType.Float32, [1, 6, 2, 4]), GraphInputKind.Argument, "cache");
        var position = g.Input(new(ScalarType.Int64, [1]), GraphInputKind.Argument, "position");
        var k = g.Input(new(ScalarType.Float32, [1, 1, 2, 4]), GraphInputKind.Argument, "k");
        var before = g.Add("aten::mul.Scalar", cache, 2.0);
        var written = g.Add("aten::index_copy", cache, 1L, position, k);
        var after = g.Add("aten::mul.Scalar", written, 3.0);
        using var executable = CpuBackend.Compile(g.Build([before, after], [new(cache, written)]), Options);
        Assert.Equal(0, executable.ArenaBytes); // nothing is copied
        using var scope = NewDisposeScope();
        var (memory, row) = (randn(1, 6, 2, 4), randn(1, 1, 2, 4));
        var (old, expected) = (memory.clone(), memory.clone());
        expected[0, 4] = row[0, 0];
        var results = executable.Run([memory, tensor(new long[] { 4 }), row]);
        CpuBackendTests.Close(old * 2, results[0], 1e-7);
        CpuBackendTests.Close(expected * 3, results[1], 1e-7);
        CpuBackendTests.Close(expected, memory, 0);
        Assert.Contains("6 is no place", Assert.Throws<GraphException>(() => executable.Run([memory, tensor(new long[] { 6 }), row])).Message);
    }

    [Fact]
    public void An_update_whose_old_values_are_wanted_is_a_copy()
    {
        var g = new GraphBuilder();
        var cache = g.Input(new(ScalarType.Float32, [6, 4]), GraphInputKind.Argument, "cache");
        var part = g.Input(new(ScalarType.Float32, [2, 4]), GraphInputKind.Argument, "part");
        var written = g.Add("aten::slice_scatter", cache, part, 0L, 1L, 5L, 2L);
        var both = g.Add("aten::add.Tensor", written, cache);
        using var executable = CpuBackend.Compile(g.Build([both], [new(cache, written)]), Options);
        using var scope = NewDisposeScope();
        var (memory, rows) = (randn(6, 4), randn(2, 4));
        var (old, expected) = (memory.clone(), memory.clone());
        expected[1] = rows[0];
        expected[3] = rows[1];
        CpuBackendTests.Close(expected + old, executable.Run([memory, rows])[0], 1e-7);
        CpuBackendTests.Close(expected, memory, 0);
    }

    [Fact]
    public void Two_inputs_can_change_places()
    {
        var g = new GraphBuilder();
        var a = g.Input(new(ScalarType.Float32, [5]), GraphInputKind.Argument, "a");
        var b = g.Input(new(ScalarType.Float32, [5]), GraphInputKind.Argument, "b");
        using var executable = CpuBackend.Compile(g.Build([], [new(a, b), new(b, a)]), Options);
        using var scope = NewDisposeScope();
        var (x, y) = (zeros(5), ones(5));
        executable.Run([x, y]);
        CpuBackendTests.Close(ones(5), x, 0);
        CpuBackendTests.Close(zeros(5), y, 0);
    }
}
