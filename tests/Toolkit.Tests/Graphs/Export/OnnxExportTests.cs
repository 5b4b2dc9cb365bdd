using Toolkit.Graphs;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Export;

public sealed class OnnxExportTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("toolkit-onnx-");
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly IDisposable _still = no_grad();

    private string File => Path.Combine(_folder.FullName, "module.onnx");

    public void Dispose()
    {
        _still.Dispose();
        _scope.Dispose();
        _folder.Delete(true);
    }

    [Fact]
    public void Mlp() => Check(nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.SiLU(), nn.Linear(16, 4), nn.Softmax(-1)), randn(3, 8));

    [Fact]
    public void LeNet() => Check(new OnnxModules.LeNet(), randn(2, 1, 28, 28));

    [Fact]
    public void GptWithEmbeddings() => Check(new OnnxModules.Gpt(), randint(0, 50, [2, 9]));

    [Fact]
    public void LlamaBlockWithRotaryEmbedding() => Check(new OnnxModules.Llama(), randn(2, 7, 32));

    [Fact]
    public void LoopOverLstmCells() => Check(new OnnxModules.LstmLoop(), randn(3, 5, 6));

    [Fact]
    public void ResNetBlock() => Check(new OnnxModules.ResNetBlock(), randn(2, 4, 10, 10));

    [Fact]
    public void DecoderOfTheEngine() => Check(Decoder.Create(DecoderConfig.Llama(2, 32, 4, 2, 60), 1), randint(0, 60, [1, 7]));

    [Fact]
    public void SeveralResults_OfWhichSomeAreViews()
    {
        var compiled = new Splitting().Compile();
        var x = randn(4, 6);
        compiled.forward(x);
        compiled.ExportOnnx(File);
        using var model = new OnnxModel(File);
        Assert.Equal(["values"], model.Inputs);
        var y = x.exp();
        Close([y, y[1], x.t()], model.Run([x]), "");
    }

    [Fact]
    public void OperationsOfTheEngine()
    {
        var builder = new GraphBuilder();
        Value Input(string name, params long[] shape) => builder.Input(new(ScalarType.Float32, [.. shape]), GraphInputKind.Argument, name);
        var (x, w, cos, sin) = (Input("x", 2, 5, 4, 8), Input("w", 8), Input("cos", 5, 1, 3), Input("sin", 5, 1, 3));
        var (k, v, gate) = (Input("k", 2, 7, 2, 8), Input("v", 2, 7, 2, 8), Input("gate", 2, 5, 4, 8));
        var q = builder.Add("toolkit::rotary", builder.Add("toolkit::rms_norm", x, w, 1e-5), cos, sin);
        var causal = builder.Add("toolkit::attention", q, k, v);
        var capped = builder.Add("toolkit::attention", q, k, v, builder.Add("aten::ge.Scalar", builder.Input(new(ScalarType.Float32, [5, 7]), GraphInputKind.Argument, "m"), -5.0), 0.3, 2.0);
        var graph = builder.Build([causal, capped, builder.Add("toolkit::swiglu", gate, x)]);
        Tensor[] inputs = [.. graph.Inputs.Select(input => randn(input.Type.Shape.ToArray()))];
        graph.ExportOnnx(File, new Dictionary<string, Tensor>());
        using var model = new OnnxModel(File);
        Assert.Equal(["x", "w", "cos", "sin", "k", "v", "gate", "m"], model.Inputs);
        Close(GraphInterpreter.Run(graph, inputs), model.Run(inputs), "");
    }

    [Fact]
    public void RandomGraphs()
    {
        var (compared, unwritten, unknown) = (0, 0, 0);
        for (var seed = 0; seed < 80; seed++)
        {
            using var scope = NewDisposeScope();
            var random = new RandomGraph(seed, false);
            if (random.Graph.Values.Any(value => value.Type.Elements == 0))
            {
                continue;
            }

            var inputs = random.Inputs(seed);
            Tensor[] expected;
            try
            {
                expected = GraphInterpreter.Run(random.Graph, inputs);
                random.Graph.ExportOnnx(File, random.Graph.Inputs.Zip(inputs).ToDictionary(pair => pair.First.Path, pair => pair.Second));
            }
            catch (GraphException)
            {
                unwritten++;
                continue;
            }

            Tensor[] actual;
            try
            {
                using var model = new OnnxModel(File);
                actual = model.Run([.. random.Graph.Inputs.Zip(inputs).Where(pair => pair.First.Kind == GraphInputKind.Argument).Select(pair => pair.Second)]);
            }
            catch (Microsoft.ML.OnnxRuntime.OnnxRuntimeException exception) when (exception.Message.Contains("NotImplemented", StringComparison.Ordinal) || exception.Message.Contains("NOT_IMPLEMENTED", StringComparison.Ordinal))
            {
                // ONNX Runtime has no kernel for that type.
                unknown++;
                continue;
            }

            Close(expected, actual, $"seed {seed}\n{random.Graph.ToText()}");
            compared++;
        }

        Assert.True(compared > 35, $"{compared} compared, {unwritten} not written, {unknown} without kernels");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Operators(string name)
    {
        var (input, body) = OnnxCases.All[name];
        manual_seed(1);
        var x = input();
        using var module = new Several(body);
        using var compiled = module.Compile(new CompileOptions { Cpu = null });
        compiled.forward(x);
        Assert.Empty(compiled.Explain().Breaks);
        compiled.ExportOnnx(File);
        using var model = new OnnxModel(File);
        Close(module.forward(x), model.Run([x]), name);
    }

    public static TheoryData<string> Cases => [.. OnnxCases.All.Keys];

    [Fact]
    public void InputsStandAsInTheCall()
    {
        using var module = new Twisted();
        var (x, mask) = (randn(3, 4), randint(0, 2, [4]));
        using var compiled = module.Compile();
        compiled.forward(x, mask);
        compiled.ExportOnnx(File);
        using var model = new OnnxModel(File);
        Assert.Equal(["values", "mask"], model.Inputs);
        Close([module.forward(x, mask)], model.Run([x, mask]), nameof(Twisted));
    }

    [Fact]
    public void ParametersKeepTheirNames()
    {
        var module = nn.Sequential(("first", nn.Linear(4, 4)), ("second", nn.Linear(4, 2)));
        module.Compile(randn(2, 4)).ExportOnnx(File);
        var text = System.Text.Encoding.Latin1.GetString(System.IO.File.ReadAllBytes(File));
        Assert.All(module.state_dict().Keys, name => Assert.Contains(name, text, StringComparison.Ordinal));
    }

    [Fact]
    public void WhatCannotBeWritten_IsSaid()
    {
        var training = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2));
        training.train();
        var compiled = training.Compile(randn(2, 1, 6, 6));
        Assert.Matches("^ONNX export: the graph changes .*1.running_mean, 1.running_var.*; call eval", Assert.Throws<GraphException>(() => compiled.ExportOnnx(File)).Message);
        var builder = new GraphBuilder();
        var x = builder.Input(new(ScalarType.Float32, [4]), GraphInputKind.Argument, "x");
        var w = builder.Input(new(ScalarType.Float32, [4]), GraphInputKind.Parameter, "w");
        var graph = builder.Build([builder.Add("aten::bernoulli", builder.Add("aten::as_strided", builder.Add("aten::add.Tensor", x, w), new long[] { 2 }, new long[] { 2 }))]);
        Assert.StartsWith(
            "ONNX export: aten::as_strided: it is written for arguments and weights",
            Assert.Throws<GraphException>(() => graph.ExportOnnx(File, new Dictionary<string, Tensor> { ["w"] = ones(4) })).Message);
        builder = new GraphBuilder();
        graph = builder.Build([builder.Add("aten::bernoulli", builder.Input(new(ScalarType.Float32, [4]), GraphInputKind.Argument, "x"))]);
        Assert.StartsWith("ONNX export: aten::bernoulli: numbers that an ONNX model draws are others", Assert.Throws<GraphException>(() => graph.ExportOnnx(File, new Dictionary<string, Tensor>())).Message);
        using var unmapped = new Unmapped();
        Assert.Matches(
            @"^ONNX export: these operators have no counterpart: aten::i0 \(Unmapped.forward OnnxExportTests.cs:\d+\)$",
            Assert.Throws<GraphException>(() => unmapped.Compile(randn(2, 4)).ExportOnnx(File)).Message);
        builder = new GraphBuilder();
        w = builder.Input(new(ScalarType.Float32, [4]), GraphInputKind.Parameter, "w");
        graph = builder.Build([builder.Add("aten::exp", w)]);
        Assert.Equal("ONNX export: there is no tensor for \"w\"", Assert.Throws<GraphException>(() => graph.ExportOnnx(File, new Dictionary<string, Tensor>())).Message);
        Assert.Contains("cannot be written", Assert.Throws<GraphException>(() => graph.ExportOnnx(Path.Combine(_folder.FullName, "no", "x"), new Dictionary<string, Tensor> { ["w"] = ones(4) })).Message);
        Assert.False(System.IO.File.Exists(File));
    }

    private static void Close(Tensor[] expected, Tensor[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(TensorType.Of(expected[i]), TensorType.Of(actual[i]));
            var (x, y) = (expected[i].to(ScalarType.Float64), actual[i].to(ScalarType.Float64));
            var scale = Math.Max(1e-3, x.nan_to_num(0, 0, 0).abs().max().ToDouble());
            Assert.True(y.allclose(x, 1e-4, 1e-4 * scale, equal_nan: true), $"output {i} {what}\nexpected {x.str()}\nactual {y.str()}");
        }
    }

    /// <summary>Uses its second argument first, and numbers that are integers.</summary>
    private sealed class Twisted() : nn.Module<Tensor, Tensor, Tensor>(nameof(Twisted))
    {
        public override Tensor forward(Tensor values, Tensor mask)
        {
            var count = mask.sum().clamp_min(1).clamp_max(3);
            return values.masked_fill(mask.eq(0), -1) / count + mask.masked_fill(mask.eq(1), 7);
        }
    }

    private sealed class Several(Func<Tensor, Tensor[]> body) : nn.Module<Tensor, Tensor[]>(nameof(Several))
    {
        public override Tensor[] forward(Tensor x) => body(x);
    }

    private sealed class Unmapped() : nn.Module<Tensor, Tensor>(nameof(Unmapped))
    {
        public override Tensor forward(Tensor x) => x.i0();
    }

    private sealed class Splitting() : nn.Module<Tensor, (Tensor, Tensor, Tensor)>(nameof(Splitting))
    {
        public override (Tensor, Tensor, Tensor) forward(Tensor values)
        {
            var y = values.exp();
            return (y, y[1], values.t());
        }
    }

    private void Check(nn.Module<Tensor, Tensor> module, Tensor input)
    {
        module.eval();
        foreach (var (name, buffer) in module.named_buffers())
        {
            // Statistics that say something.
            if (name.EndsWith("running_mean", StringComparison.Ordinal) || name.EndsWith("running_var", StringComparison.Ordinal))
            {
                buffer.uniform_(0.5, 1.5); // no number that becomes a scalar: TorchSharp keeps none alive
            }
        }

        var compiled = module.Compile(input);
        compiled.forward(input); // some modules make tables in their first call
        Assert.Empty(compiled.Explain().Breaks);
        compiled.ExportOnnx(File);
        using var model = new OnnxModel(File);
        Close([module.forward(input)], model.Run([input]), module.GetType().Name);
    }
}
