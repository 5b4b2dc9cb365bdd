using Toolkit.Graphs;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>What people do wrong, or at the limits, and what they are told.</summary>
public sealed class CompileMistakesTests
{
    [Fact]
    public void NothingToCompile_IsNamed()
    {
        Assert.Equal("module", Assert.Throws<ArgumentNullException>(() => ((nn.Module<Tensor, Tensor>)null!).Compile()).ParamName);
        Assert.Equal("module", Assert.Throws<ArgumentNullException>(() => ((nn.Module<Tensor, Tensor, Tensor>)null!).Compile()).ParamName);
        Assert.Equal("module", Assert.Throws<ArgumentNullException>(() => ((Toolkit.Models.CausalModel)null!).CompileDecoding()).ParamName);
        Assert.Equal("module", Assert.Throws<ArgumentNullException>(() => Graph.Of(null!)).ParamName);
        Assert.Equal("text", Assert.Throws<ArgumentNullException>(() => Graph.Parse(null!)).ParamName);
        using var module = nn.ReLU();
        Assert.Equal("example", Assert.Throws<ArgumentNullException>(() => module.Compile(example: null!)).ParamName);
    }

    [Fact]
    public void OptionsThatMakeNoSense_AreRefused()
    {
        Assert.Equal("RecompileLimit", Assert.Throws<ArgumentOutOfRangeException>(() => new CompileOptions { RecompileLimit = 0 }).ParamName);
        Assert.Equal("DynamicSizes", Assert.Throws<ArgumentOutOfRangeException>(() => new CompileOptions { DynamicSizes = -1 }).ParamName);
        Assert.Equal("Threads", Assert.Throws<ArgumentOutOfRangeException>(() => new Toolkit.Graphs.Cpu.CpuOptions { Threads = -1 }).ParamName);
        Assert.Equal("VectorWidth", Assert.Throws<ArgumentOutOfRangeException>(() => new Toolkit.Graphs.Cpu.CpuOptions { VectorWidth = 5 }).ParamName);
        Assert.Equal("CacheFolder", Assert.Throws<ArgumentException>(() => new Toolkit.Graphs.Cpu.CpuOptions { CacheFolder = "" }).ParamName);
        using var module = nn.ReLU();
        Assert.Contains("there is no CompileMode of that number", Assert.Throws<ArgumentOutOfRangeException>(() => module.Compile(new CompileOptions { Mode = (CompileMode)7 })).Message);
        using var x = randn(2, 3);
        Assert.Contains("CompileOptions.Backend gave null", Assert.Throws<InvalidOperationException>(() => module.Compile(x, new CompileOptions { Backend = _ => null! })).Message);
        foreach (var argument in new[] { -1, 1 })
        {
            var refusal = Assert.Throws<ArgumentOutOfRangeException>(() => module.Compile(new CompileOptions { Dynamic = [new(argument, 0)] }));
            Assert.Contains($"dimension 0 of argument {argument}: ReLU takes 1 argument", refusal.Message);
        }
    }

    [Fact]
    public void ADimensionThatIsNotThere_IsReported()
    {
        using var inference = no_grad();
        using var module = nn.ReLU();
        using var x = randn(2, 3);
        using var compiled = module.Compile(x, new CompileOptions { Dynamic = [new(0, 7)] });
        Assert.Contains("dimension 7 of argument 0 is missing", compiled.Explain().ToString());
    }

    [Fact]
    public void TheLimitOfGraphs_IsReportedWhenItIsMet()
    {
        using var inference = no_grad();
        using var module = nn.ReLU();
        using var compiled = module.Compile(new CompileOptions { RecompileLimit = 2 });
        using var scope = NewDisposeScope();
        for (var rows = 1; rows < 4; rows++)
        {
            Assert.Null(compiled.Explain().LimitedBy);
            compiled.forward(randn(rows, 3));
        }

        var report = compiled.Explain();
        Assert.True(report is { LimitedBy: 2, EagerCalls: 1, Graphs.Length: 2 }, report.ToString());
        Assert.Contains("no further graphs: there are 2 (CompileOptions.RecompileLimit)", report.ToString());
        Assert.Contains("recompiled, for it no longer held: argument 0 is f32[1, 3]", report.ToString());
    }

    [Fact]
    public void WhatWasDisposedOf_SaysSo()
    {
        using var inference = no_grad();
        using var module = nn.ReLU();
        using var x = randn(2, 3);
        var compiled = module.Compile(x);
        compiled.Dispose();
        Assert.Contains("compiled ReLU", Assert.Throws<ObjectDisposedException>(() => compiled.forward(x)).Message);
        Assert.Throws<ObjectDisposedException>(() => compiled.Graph);
        Assert.Throws<ObjectDisposedException>(() => compiled.Kernels);
        Assert.Throws<ObjectDisposedException>(() => compiled.Profile(x));
        Assert.Throws<ObjectDisposedException>(() => compiled.Save("a.tkx"));
        Assert.Throws<ObjectDisposedException>(() => compiled.ExportOnnx("a.onnx"));
    }

    [Fact]
    public void PathsThatCannotBe_AreNamedAsTheyWereGiven()
    {
        using var inference = no_grad();
        using var module = nn.Linear(3, 3);
        using var x = randn(2, 3);
        using var compiled = module.Compile(x);
        Assert.Equal("path", Assert.Throws<ArgumentNullException>(() => compiled.Save(null!)).ParamName);
        Assert.Equal("path", Assert.ThrowsAny<ArgumentException>(() => compiled.ExportOnnx("")).ParamName);
        Assert.Equal("path", Assert.ThrowsAny<ArgumentException>(() => Compiled.Load("")).ParamName);
        var folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        Assert.EndsWith($"there is no folder {folder}", Assert.Throws<CompiledArtifactException>(() => compiled.Save(Path.Combine(folder, "a.tkx"))).Message);
        Assert.EndsWith($"there is no folder {folder}", Assert.Throws<GraphException>(() => compiled.ExportOnnx(Path.Combine(folder, "a.onnx"))).Message);
        Assert.Equal($"{folder}: it cannot be read: there is no such file", Assert.Throws<CompiledArtifactException>(() => Compiled.Load(folder)).Message);
        var known = Path.TrimEndingDirectorySeparator(Path.GetTempPath());
        Assert.Equal($"{known}: it cannot be read: it is a folder", Assert.Throws<CompiledArtifactException>(() => Compiled.Load(known)).Message);
        Assert.Equal($"{known}: it cannot be put in place: it is a folder", Assert.Throws<CompiledArtifactException>(() => compiled.Save(known)).Message);
    }

    [Fact]
    public void AModuleWithACompiledOneInside_IsOneGraph()
    {
        using var inference = no_grad();
        using var inner = nn.Sequential(nn.Linear(3, 3), nn.GELU());
        using var x = randn(2, 3);
        using var block = inner.Compile(x);
        using var outer = nn.Sequential(("block", block), ("last", nn.Linear(3, 2)));
        using var compiled = outer.Compile(x);
        using var expected = outer.forward(x);
        using var actual = compiled.forward(x);
        Assert.True(actual.allclose(expected, 1e-5, 1e-6));
        var report = compiled.Explain();
        Assert.True(report is { Graphs: [{ Nodes.Length: 3 }], CompiledCalls: 1, Breaks: [] }, report.ToString());
        Assert.Equal(["block.0", "block.1", "last"], compiled.Graph.Nodes.Select(node => node.Origin.Module));
        Assert.Equal(compiled.Graph.ToText(), Graph.Of(compiled, x).ToText());
    }

    [Fact]
    public void TheGraphThatWasCapturedLast_IsTheOneThatIsShown()
    {
        using var inference = no_grad();
        using var module = new Written(x => x.sum().item<float>() switch
        {
            0 => x.tanh(),
            1 => x.exp(),
            2 => x.sin(),
            3 => x.cos(),
            4 => x.sqrt(),
            _ => x.abs(),
        });
        using var compiled = module.Compile();
        using var scope = NewDisposeScope();
        string[] names = ["tanh", "exp", "sin", "cos", "sqrt", "abs"];
        for (var i = 0; i < names.Length; i++)
        {
            compiled.call(tensor(new float[] { i }));
            Assert.Equal($"aten::{names[i]}", compiled.Graph.Nodes[^1].Operator.Name);
        }

        Assert.Equal(["aten::sum", .. names.Select(name => $"aten::{name}")], compiled.Explain().Graphs.Select(graph => graph.Nodes[0].Operator.Name));
    }

    [Fact]
    public void Lines_TellWhatThereIs()
    {
        using var inference = no_grad();
        using var module = nn.Linear(3, 2);
        using var x = randn(2, 3);
        using var compiled = module.Compile();
        Assert.Equal("Linear, compiled: no graph yet; calls: 0 compiled, 0 captured, 0 eager", compiled.ToString());
        compiled.forward(x).Dispose();
        Assert.Matches("^Linear, compiled: 1 graph of 1 node, [0-9]+ guards; calls: 0 compiled, 1 captured, 0 eager$", compiled.ToString());
        compiled.forward(x[..1]).Dispose();
        Assert.Matches("^2 graphs of 1 node each, ", compiled.Explain().ToString());
        Assert.Equal("1 operation, 1 argument, 2 parameters", compiled.Graph.ToString());
        Assert.Equal("1 operation, 1 argument, 2 parameters: 1 kernel", compiled.Executable.ToString());
        Assert.Matches("^1 kernel, 0 matrix products of libtorch, [0-9,]+ bytes? of intermediates$", ((CompiledGraph)compiled.Executable).Executable.ToString());
        Assert.Matches("^MatrixVector0: 1 call, [0-9,]+ bytes, [0-9,]+ FLOPs$", compiled.Kernels[0].ToString());
        Assert.Matches(@"^functionalisation: 1 operation became 1 in \d+\.\d ms$", ((CompiledGraph)compiled.Executable).Passes[0].ToString());
        Assert.Equal("nothing stands there; write another", new GraphBreak("nothing stands there", "write another", Origin.None).ToString());
    }
}
