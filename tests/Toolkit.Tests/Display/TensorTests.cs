using System.Xml.Linq;
using Toolkit.Display;
using TorchSharp;

namespace Toolkit.Tests.Display;

public sealed class TensorTests
{
    [Fact]
    public void ATensorShowsShapeTypeDeviceAndFirstValues()
    {
        using var scope = torch.NewDisposeScope();

        Assert.Equal("tensor (2, 3) float32 cpu, 6 values, 24 B: [0, 1, 2, 3, 4, 5]\nmin 0, max 5, mean 2.5, deviation 1.708", Formatter.Format(torch.arange(6, dtype: torch.float32).reshape(2, 3)).Plain);
        Assert.Equal("tensor (100, 3, 5) int64 cpu, 1,500 values, 12.0 kB: [0, 1, 2, 3, 4, 5, 6, 7, …]\nmin 0, max 1499, mean 749.5, deviation 433", Formatter.Format(torch.arange(1500).reshape(100, 3, 5)).Plain);
        Assert.Equal("tensor () float64 cpu, 1 values, 8 B: [2.5]", Formatter.Format(torch.tensor(2.5)).Plain);
        Assert.Equal("tensor (0, 4) float32 cpu, 0 values, 0 B: []", Formatter.Format(torch.zeros(0, 4)).Plain);
        Assert.Contains("bfloat16", Formatter.Format(torch.zeros(3, dtype: torch.bfloat16)).Plain);
        Assert.Contains("[NaN, Infinity]", Formatter.Format(torch.tensor(new[] { double.NaN, double.PositiveInfinity })).Plain);
        Assert.Equal("tensor (3, 2) float32 cpu, 6 values, 24 B: [0, 3, 1, 4, 2, 5]\nmin 0, max 5, mean 2.5, deviation 1.708", Formatter.Format(torch.arange(6, dtype: torch.float32).reshape(2, 3).t()).Plain);
    }

    [Fact]
    public void ADisposedTensorIsNamedAsSuch()
    {
        var tensor = torch.zeros(2);
        tensor.Dispose();

        Assert.Equal("tensor (disposed)", Formatter.Format(tensor).Plain);
    }

    [Fact]
    public void ATrainableTensorCanBeShown()
    {
        using var tensor = torch.ones(2, requires_grad: true);

        Assert.Contains("[1, 1]\n", Formatter.Format(tensor).Plain);
    }

    [Fact]
    public void TheModelCardCountsTheTreeOnce()
    {
        using var model = new Tied();
        var card = new ModelCard(model, new Dictionary<string, string> { ["licence"] = "<MIT>" });
        var bundle = card.ToMimeBundle();
        var html = XElement.Parse($"<page>{bundle.Html}</page>");

        Assert.Equal((10 * 4) + (4 * 4) + 4, card.ParameterCount);
        Assert.Equal(4 * card.ParameterCount, card.ParameterBytes);
        Assert.Contains("shared, counted before", bundle.Plain);
        Assert.Contains("embedding  Embedding, 40 parameters, 160 B", bundle.Plain);
        Assert.Contains("(4, 4) float32, 16", bundle.Plain);
        Assert.Contains("<MIT>", bundle.Plain);
        Assert.Equal(4, html.Descendants("details").Count());
        Assert.Contains("60", html.Value);
        Assert.Equal(bundle.Parts, Formatter.Format(new ModelCard(model, new Dictionary<string, string> { ["licence"] = "<MIT>" })).Parts);
        Assert.Contains("60 parameters", Formatter.Format(model).Plain);
    }

    [Fact]
    public void ATableOfTensorsShowsThemAsCells()
    {
        using var scope = torch.NewDisposeScope();

        Assert.Contains("(2) float32", Formatter.Format(new Dictionary<string, torch.Tensor> { ["w"] = torch.zeros(2) }).Plain);
    }

    private sealed class Tied : torch.nn.Module
    {
        public Tied()
            : base("tied")
        {
            var embedding = torch.nn.Embedding(10, 4);
            var head = torch.nn.Linear(4, 10, hasBias: false);
            head.weight = embedding.weight!;
            register_module("embedding", embedding);
            register_module("hidden", torch.nn.Linear(4, 4));
            register_module("head", head);
        }
    }
}
