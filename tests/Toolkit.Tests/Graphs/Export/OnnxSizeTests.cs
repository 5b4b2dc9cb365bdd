using Microsoft.ML.OnnxRuntime;
using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>ONNX models whose dynamic dimensions have any size, run with many.</summary>
public sealed class OnnxSizeTests : InferenceTests
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("toolkit-onnx-");

    private string File => Path.Combine(_folder.FullName, "module.onnx");

    protected override void Clean() => _folder.Delete(true);

    [Fact]
    public void Mlp() => Check(nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.SiLU(), nn.Linear(16, 4), nn.Softmax(-1)), (batch, _) => randn(batch, 8), "tensor_0", [new(0, 0)]);

    [Fact]
    public void LeNet() => Check(new OnnxModules.LeNet(), (batch, _) => randn(batch, 1, 28, 28), "image_0", [new(0, 0)]);

    [Fact]
    public void Gpt() => Check(new OnnxModules.Gpt(), (batch, time) => randint(0, 50, [batch, Math.Min(time, 16)]), "ids_0, ids_1", [new(0, 0), new(0, 1)]);

    [Fact]
    public void LlamaBlock() => Check(new OnnxModules.Llama(), (batch, time) => randn(batch, time, 32), "x_0, x_1", [new(0, 0), new(0, 1)]);

    [Fact]
    public void EncoderLayer() => Check(new Encoder(), (batch, time) => randn(time, batch, 16), "x_1, x_0", [new(0, 1), new(0, -3)]);

    [Fact]
    public void ArithmeticOfSizes() => Check(
        new Body(x =>
        {
            var time = x.shape[1];
            var places = arange(time, ScalarType.Float32).unsqueeze(1) * linspace(0, 1, time).unsqueeze(1);
            var mask = ones(time, time, ScalarType.Bool).triu(1).logical_or(eye(time).gt(2));
            var scores = x.matmul(x.transpose(1, 2)).masked_fill(mask, float.NegativeInfinity).softmax(-1);
            var y = cat([x[.., 1..], zeros(x.shape[0], 1, 4)], 1) + (x.sum(1, true) / time) + places;
            return scores.matmul(y).reshape(x.shape[0] * time, 4)[^1] + y.flatten(1)[.., (int)(2 * time)].sum();
        }),
        (batch, time) => randn(batch, time, 4),
        "x_0, x_1",
        [new(0, 0), new(0, 1)]);

    [Fact]
    public void WhatTheProgramAsksOfSizesTheModelAsks()
    {
        using var module = new Body(x => x.shape[1] > 20 ? throw new ArgumentException("too long") : x.view(x.shape[0], x.shape[1] / 2, 2, 4).sum(2));
        Export(module, randn(3, 8, 4), [new(0, 0), new(0, 1)]);
        using var model = new OnnxModel(File);
        Assert.Equal("x_1 <= 20, x_1 % 2 == 0", model.Properties["requires"]);
        foreach (var time in new[] { 2, 12, 20 })
        {
            var x = randn(2, time, 4);
            Close(module.call(x), model.Run([x])[0]);
        }

        Assert.Contains("requires x_1 <= 20", Assert.Throws<OnnxRuntimeException>(() => model.Run([randn(2, 22, 4)])).Message);
        Assert.Contains("requires x_1 % 2 == 0", Assert.Throws<OnnxRuntimeException>(() => model.Run([randn(2, 7, 4)])).Message);
    }

    [Fact]
    public void ASizeOfOneThatIsAnotherCaseIsRefused()
    {
        using var module = new Body(x => x.squeeze() * 2);
        Export(module, randn(3, 4), [new(0, 0)]);
        using var model = new OnnxModel(File);
        Close(module.call(ones(9, 4)), model.Run([ones(9, 4)])[0]);
        Assert.Contains("requires x_0 >= 2", Assert.Throws<OnnxRuntimeException>(() => model.Run([ones(1, 4)])).Message);
    }

    [Fact]
    public void ExtentsThatAreRoundedAreLeftOpen()
    {
        using var module = nn.Sequential(nn.Conv2d(1, 3, 3, stride: 2), nn.ReLU(), nn.MaxPool2d(2));
        Export(module, randn(2, 1, 20, 33), [new(0, 0), new(0, 2), new(0, 3)]);
        using var model = new OnnxModel(File);
        foreach (var (batch, height, width) in new[] { (2, 20, 33), (1, 9, 12), (3, 41, 7), (1, 32, 32) })
        {
            var x = randn(batch, 1, height, width);
            Close(module.call(x), model.Run([x])[0]);
        }
    }

    [Fact]
    public void WhatDoesNotFollowTheSizesIsSaid()
    {
        using var module = new Body(x => nn.functional.avg_pool2d(x, x.shape[2]));
        Assert.Matches(@"^ONNX export: AveragePool \(.*:\d+\) is another operation for another size: export it without", Assert.Throws<GraphException>(() => Export(module, randn(2, 1, 8, 8), [new(0, 2), new(0, 3)])).Message);
        using var parts = new Body(x => stack([.. x.split(4, 1).Select(part => part.sum(1))], 1));
        Assert.Contains("where dimension 1 of argument 0 is 2, aten::split.Tensor makes 1 parts instead of 2", Assert.Throws<GraphException>(() => Export(parts, randn(2, 7, 8), [new(0, 1)])).Message);
        Assert.False(System.IO.File.Exists(File));
    }

    private void Check(nn.Module<Tensor, Tensor> module, Func<long, long, Tensor> input, string names, DynamicDimension[] dimensions)
    {
        using var own = module;
        module.eval();
        Export(module, input(3, 9), dimensions);
        using var model = new OnnxModel(File);
        Assert.Equal(names, model.Properties["dynamic"]);
        foreach (var (batch, time) in new[] { (3, 9), (1, 5), (4, 1), (1, 1), (2, 2), (7, 40), (5, 12), (16, 16) })
        {
            var x = input(batch, time);
            Close(module.call(x), model.Run([x])[0]);
        }
    }

    private void Export(nn.Module<Tensor, Tensor> module, Tensor example, DynamicDimension[] dimensions)
    {
        using var compiled = module.Compile(new CompileOptions { Dynamic = [.. dimensions], Backend = graph => new GraphInterpreter(graph) });
        compiled.call(example);
        compiled.ExportOnnx(File);
    }

    private static void Close(Tensor expected, Tensor actual)
    {
        Assert.Equal(TensorType.Of(expected), TensorType.Of(actual));
        var error = expected.numel() == 0 ? 0 : (expected - actual).abs().max().ToDouble() / Math.Max(1e-3, expected.abs().max().ToDouble());
        Assert.InRange(error, 0, 2e-5);
    }

    private sealed class Body(Func<Tensor, Tensor> body) : nn.Module<Tensor, Tensor>(nameof(Body))
    {
        public override Tensor forward(Tensor x) => body(x);
    }

    private sealed class Encoder : nn.Module<Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.TransformerEncoderLayer _layer = nn.TransformerEncoderLayer(16, 2, 32, 0);

        public Encoder()
            : base(nameof(Encoder)) => RegisterComponents();

        public override Tensor forward(Tensor x) => _layer.call(x, null, null);
    }
}
