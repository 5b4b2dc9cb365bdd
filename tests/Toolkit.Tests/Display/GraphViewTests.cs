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
        Assert.Contains("Graph: 3 operations, 1 argument, 1 parameter", bundle.Plain);
        Assert.Matches(@"\nlayers\.3\n +%\w+: f32\[4, 8\] = mm\(%\w+, layers\.3\.weight\) +// Model\.cs:12\n", bundle.Plain);

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
    public void AGraphOfOneModule_IsDrawnByLines()
    {
        var g = new GraphBuilder();
        Value x = g.Input(new(ScalarType.Float32, [4]), GraphInputKind.Argument, "x");
        for (var i = 0; i < 300; i++)
        {
            g.Origin = new("", "Net.forward", "Net.cs", 10 + (i / 60));
            x = g.Add("aten::tanh", x);
        }

        var html = Formatter.Format(g.Build([x])).Html!;
        Assert.Equal(5 + 2, Regex.Count(html, "<rect "));
        Assert.Contains("Net.forward Net.cs:14", html);
    }

    [Fact]
    public void WhatEveryBoxReads_IsNamedInThoseFarBelow()
    {
        var g = new GraphBuilder { Origin = new("", "Net.forward") };
        var x = g.Input(new(ScalarType.Float32, [4]), GraphInputKind.Argument, "x");
        var mask = g.Input(new(ScalarType.Float32, [4]), GraphInputKind.Argument, "mask");
        Value y = x;
        for (var i = 0; i < 10; i++)
        {
            y = g.Add("aten::mul.Tensor", y, mask);
        }

        // A column: two edges to the first box, one to each of the other nine, one to the result.
        var html = Formatter.Format(g.Build([y])).Html!;
        Assert.Equal(2 + 9 + 1, Regex.Count(html, "<path "));
        Assert.Equal(9, Regex.Count(html, "↑ mask"));
    }

    [Fact]
    public void SeveralInputsOfOneName_AreToldApart()
    {
        var g = new GraphBuilder();
        var keys = g.Input(new(ScalarType.Float32, [4]), GraphInputKind.Parameter, "Tensor");
        var values = g.Input(new(ScalarType.Float32, [4]), GraphInputKind.Parameter, "Tensor");
        Assert.Contains($"add.Tensor(%{keys.Name}, %{values.Name}, 1)", Formatter.Format(g.Build([g.Add("aten::add.Tensor", keys, values)])).Plain);
    }

    [Fact]
    public void KernelsAndArtifacts_AreShown()
    {
        using var inference = no_grad();
        using var module = nn.Sequential(nn.Linear(8, 8), nn.ReLU());
        using var x = randn(2, 8);
        using var compiled = module.Compile(x);
        var kernels = Formatter.Format(compiled.Kernels).Plain;
        Assert.Matches(@"kernel\s+calls\s+bytes\s+FLOPs\s+operations", kernels);
        Assert.DoesNotContain("public static", kernels);
        var folder = Directory.CreateTempSubdirectory();
        compiled.Save(Path.Combine(folder.FullName, "a.tkx"));
        using (var artifact = Compiled.Load(Path.Combine(folder.FullName, "a.tkx")))
        {
            var shown = Formatter.Format(artifact).Plain;
            Assert.Contains("Sequential (", shown);
            Assert.Contains("2 weights, 288 B", shown);
            Assert.Contains(compiled.Kernels[0].Name, shown);
        }

        folder.Delete(true);
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
        Assert.Contains("Sequential, compiled", shown.Plain);
        Assert.Contains("operations", shown.Plain);
        Assert.Throws<InvalidOperationException>(() => compiled.Profile(randn(3, 8)));
        compiled.Profile(x);
        Assert.All(compiled.Kernels, kernel => Assert.NotNull(kernel.Time));
    }

    [Fact]
    public void AGraphWithoutKernels_SaysWhy()
    {
        using var inference = no_grad();
        using var module = nn.ReLU();
        using var x = randn(2, 3);
        using var compiled = module.Compile(x, new CompileOptions { Mode = CompileMode.Simplified });
        var bundle = Formatter.Format(compiled);
        Assert.Contains("runs operation by operation: that was asked for", bundle.Plain);
        Assert.Contains("runs operation by operation: that was asked for", bundle.Html);
    }

    [Fact]
    public void AResidualStream_StaysInOneColumn()
    {
        const int Count = 61;
        var sizes = Enumerable.Range(0, Count).Select(i => (Width: 60.0 + (i % 3 * 40), Height: 30.0)).ToArray();
        var edges = Enumerable.Range(1, Count - 1).Select(to => (From: to - 1, To: to)).Concat(Enumerable.Range(0, Count / 6).Select(i => (From: 6 * i, To: (6 * i) + 6))).ToArray();
        var (boxes, routes, _, _) = GraphLayout.Of(sizes, edges);
        Assert.All(boxes, box => Assert.Equal(boxes[0].X, box.X, 0.01));

        // What passes a box passes beside it.
        Assert.All(routes.Where(route => route.Count > 2).SelectMany(route => route.Skip(1).SkipLast(1)), point =>
            Assert.DoesNotContain(Enumerable.Range(0, Count), i => Math.Abs(point.X - boxes[i].X) < sizes[i].Width / 2 && Math.Abs(point.Y - boxes[i].Y) < sizes[i].Height / 2));
    }

    [Fact]
    public void WhatDoesNotHangTogether_StandsSideBySide()
    {
        // Two columns of many layers, of boxes whose widths differ: neither pushes the other away.
        var sizes = Enumerable.Range(0, 80).Select(i => (Width: 40.0 + (i * 37 % 90), Height: 20.0)).ToArray();
        var (_, _, width, _) = GraphLayout.Of(sizes, [.. Enumerable.Range(2, 78).Select(to => (From: to - 2, To: to))]);
        Assert.InRange(width, 130, 400);
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
