using System.Text.RegularExpressions;
using Toolkit.Display;
using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Display;

public sealed class GraphViewTests
{
    [Fact]
    public void AGraph_IsDrawnAndListed()
    {
        var g = new GraphBuilder { Origin = new("layers.3", "Block.forward", "Model.cs", 12) };
        var x = g.Input(new(ScalarType.Float32, [4, 8]), GraphInputKind.Argument, "argument 0");
        var w = g.Input(new(ScalarType.Float32, [8, 8]), GraphInputKind.Parameter, "layers.3.weight");
        var y = g.Add("aten::mm", x, w);
        var bundle = Formatter.Format(g.Build([g.Add("aten::add.Tensor", g.Add("aten::tanh", y), y)]));
        Assert.Contains("Graph: 3 operations, 1 arguments, 1 parameters", bundle.Plain);
        Assert.Matches(@"layers\.3\s+mm\(%\w+, layers\.3\.weight\)", bundle.Plain);
        Assert.Contains("Model.cs:12", bundle.Plain);

        // Five boxes (argument, three operations, result) and as many edges.
        Assert.Equal(5, Regex.Count(bundle.Html!, "<rect "));
        Assert.Equal(5, Regex.Count(bundle.Html!, "<path "));
        Assert.Contains("f32[4, 8]", bundle.Html);
    }

    [Fact]
    public void ALargeGraph_IsDrawnByModules()
    {
        var g = new GraphBuilder();
        Value x = g.Input(new(ScalarType.Float32, [4]), GraphInputKind.Argument, "x");
        for (var i = 0; i < 300; i++)
        {
            g.Origin = new($"layers.{i / 50}.{(i % 50 < 25 ? "up" : "down")}", "forward");
            x = g.Add(i % 2 == 0 ? "aten::tanh" : "aten::neg", x);
        }

        var html = Formatter.Format(g.Build([x])).Html!;
        Assert.Equal(12 + 2, Regex.Count(html, "<rect "));
        Assert.Contains("layers.5.down", html);
        Assert.Contains("25 operations: tanh neg", html);
    }

    [Fact]
    public void PassesAndReports_AreShown()
    {
        using var inference = no_grad();
        using var module = nn.Sequential(nn.Linear(8, 8), nn.ReLU());
        using var x = randn(2, 8);
        using var compiled = module.Compile(x);
        Assert.Contains("dead code", Formatter.Format(((CompiledGraph)compiled.Executable).Passes).Plain);
        var shown = Formatter.Format(compiled);
        Assert.Contains("1 graphs of", shown.Plain);
        Assert.Contains("Operations", shown.Plain);
        Assert.Throws<InvalidOperationException>(() => compiled.Profile(randn(3, 8)));
        compiled.Profile(x);
        Assert.All(compiled.Kernels, kernel => Assert.NotNull(kernel.Time));
    }

    [Fact]
    public void BoxesOfALayout_DoNotOverlap()
    {
        var random = new Random(5);
        for (var round = 0; round < 40; round++)
        {
            var count = random.Next(1, 60);
            var sizes = Enumerable.Range(0, count).Select(_ => (Width: random.Next(20, 200) + 0.0, Height: random.Next(10, 50) + 0.0)).ToArray();
            var edges = Enumerable.Range(1, count - 1).SelectMany(to => Enumerable.Range(0, random.Next(0, 4)).Select(_ => (From: random.Next(to), To: to))).Distinct().ToArray();
            var (boxes, routes, width, height) = GraphLayout.Of(sizes, edges);
            Assert.Equal(count, boxes.Count);
            Assert.Equal(edges.Length, routes.Count);
            for (var i = 0; i < count; i++)
            {
                Assert.InRange(boxes[i].X, (sizes[i].Width / 2) - 0.01, width - (sizes[i].Width / 2) + 0.01);
                Assert.InRange(boxes[i].Y, (sizes[i].Height / 2) - 0.01, height - (sizes[i].Height / 2) + 0.01);
                for (var j = 0; j < i; j++)
                {
                    var apartX = Math.Abs(boxes[i].X - boxes[j].X) - ((sizes[i].Width + sizes[j].Width) / 2);
                    var apartY = Math.Abs(boxes[i].Y - boxes[j].Y) - ((sizes[i].Height + sizes[j].Height) / 2);
                    Assert.True(Math.Max(apartX, apartY) > -0.01, $"boxes {i} and {j} overlap in round {round}");
                }
            }

            Assert.All(edges, edge => Assert.True(boxes[edge.From].Y < boxes[edge.To].Y));
        }
    }
}
