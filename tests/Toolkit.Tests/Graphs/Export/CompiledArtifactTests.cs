using Toolkit.Checkpoints;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Graphs.Dispatch;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>Files of compiled modules: other processes, shapes, vectors, weights elsewhere, and what cannot be saved.</summary>
public sealed class CompiledArtifactTests : ArtifactTests
{
    [Fact]
    public void AnotherProcess_ComputesTheSameAndCompilesNothing()
    {
        var module = Mlp();
        var compiled = module.Compile(randn(3, 8));
        var path = Save(compiled);
        var x = randn(3, 8);
        var (results, output) = ArtifactProcess.Run(path, 1, x);
        using (results)
        {
            Assert.True(results.Load("y0").allclose(module.forward(x), 1e-5, 1e-6));
        }

        Assert.Equal("0 compilations, 1 loaded", output);
    }

    [Fact]
    public void Decoder_RunsInAnotherProcess()
    {
        var model = Decoder.Create(DecoderConfig.Llama(2, 32, 4, 2, 60), 1);
        var ids = randint(0, 60, [1, 7]);
        var compiled = model.Compile(ids);
        var path = Save(compiled);
        var other = randint(0, 60, [1, 7]);
        var (results, output) = ArtifactProcess.Run(path, 2, other);
        using (results)
        {
            Close(model.forward(other), results.Load("y0"));
            Close(model.forward(other), results.Load("y1"));
        }

        Assert.StartsWith("0 compilations", output);
        using var artifact = Compiled.Load(path);
        Assert.Superset(model.named_parameters().Select(entry => entry.name).ToHashSet(), artifact.Weights.Keys.ToHashSet());
    }

    [Fact]
    public void EveryCapturedShape_IsServed_AndOthersAreRefused()
    {
        var module = Mlp();
        var compiled = module.Compile(randn(3, 8));
        compiled.forward(randn(5, 8));
        using var artifact = Compiled.Load(Save(compiled));
        foreach (var rows in new[] { 3, 5 })
        {
            var x = randn(8, rows).t();
            Close(module.forward(x), artifact.forward(x));
        }

        Assert.Equal(4 * ((8 * 16) + 16 + (3 * 16) + (16 * 4) - 16 + 4), artifact.Weights.Values.Sum(weight => weight.numel() * 4));
        Assert.Equal(
            "Sequential was saved for (tensor: f32[3, 8]) -> tensor or (tensor: f32[5, 8]) -> tensor, and is given (f64[3, 8])",
            Assert.Throws<CompiledArtifactException>(() => artifact.forward(randn(3, 8, ScalarType.Float64))).Message);
        Assert.EndsWith("is given ()", Assert.Throws<CompiledArtifactException>(() => artifact.forward()).Message);
    }

    [Fact]
    public void SizesOfADynamicDimension_AreServed()
    {
        var module = Mlp();
        var compiled = module.Compile(new CompileOptions { Dynamic = [new(0, 0)] });
        foreach (var rows in new[] { 3, 5, 9 })
        {
            compiled.forward(randn(rows, 8));
        }

        Assert.Equal(1, compiled.Explain().CapturedCalls);
        using var artifact = Compiled.Load(Save(compiled));
        foreach (var rows in new[] { 3, 5, 9 })
        {
            var x = randn(rows, 8);
            Close(module.forward(x), artifact.forward(x));
        }

        Assert.Contains("f32[7, 8]", Assert.Throws<CompiledArtifactException>(() => artifact.forward(randn(7, 8))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GraphsForAnotherStateOfTheModule_AreLeftOut()
    {
        var module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5));
        module.train();
        var compiled = module.Compile();
        var x = randn(2, 4);
        compiled.forward(x);
        module.eval();
        Assert.Contains("captured graph is for another state", Assert.Throws<CompiledArtifactException>(() => Save(compiled)).Message);
        compiled.forward(x);
        using var artifact = Compiled.Load(Save(compiled));
        Assert.Single(artifact.Graphs);
        Close(module.forward(x), artifact.forward(x));
    }

    [Fact]
    public void WhatWasCapturedWithGradients_IsSavedCompiled()
    {
        var module = Mlp();
        var compiled = module.Compile();
        var x = randn(3, 8);
        using (enable_grad())
        {
            compiled.forward(x);
        }

        using var artifact = Compiled.Load(Save(compiled));
        Assert.Equal(1, artifact.LoadedCode);
        Assert.Null(artifact.Executables[0].WhyInterpreted);
        Close(module.forward(x), artifact.forward(x));
    }

    [Fact]
    public void OtherVectors_AreCompiledFromTheGraph()
    {
        var module = Mlp();
        var path = Save(module.Compile(randn(3, 8)));
        var width = KernelPrelude.Width == 8 ? 4 : 8;
        using var artifact = Compiled.Load(path, new() { VectorWidth = width, CacheFolder = null });
        Assert.Equal(KernelOrigin.Compiler, Assert.IsType<CpuExecutable>(artifact.Executables[0].Executable).KernelOrigin);
        var x = randn(3, 8);
        Close(module.forward(x), artifact.forward(x));
    }

    [Fact]
    public void WeightsInSafetensorsFiles_AreReferredTo()
    {
        var module = nn.Sequential(("big", nn.Linear(256, 256)), ("small", nn.Linear(256, 2)));
        var compiled = module.Compile(randn(3, 256));
        var weights = Path.Combine(Folder, "weights.safetensors");
        SafeTensorsFile.Save(weights, module.state_dict().Where(entry => entry.Key.StartsWith("big", StringComparison.Ordinal)).ToDictionary(entry => "model." + entry.Key, entry => entry.Value));
        var path = Path.Combine(Folder, "a.tkx");
        compiled.Save(path, new() { WeightFiles = [weights] });
        Assert.InRange(new FileInfo(path).Length, 1, 256 * 256 * 2);
        var x = randn(3, 256);
        using (var artifact = Compiled.Load(path))
        {
            Close(module.forward(x), artifact.forward(x));
            Assert.Equal(4, artifact.Weights.Count);
        }

        using (var file = File.OpenWrite(weights))
        {
            file.Seek(-1, SeekOrigin.End);
            file.WriteByte(77);
        }

        Assert.EndsWith("its checksum is another", Assert.Throws<CompiledArtifactException>(() => Compiled.Load(path)).Message);
        File.Delete(weights);
        Assert.EndsWith("that file is not there", Assert.Throws<CompiledArtifactException>(() => Compiled.Load(path)).Message);
    }

    [Fact]
    public void WhatCannotBeSaved_IsSaid()
    {
        Assert.StartsWith("nothing was captured yet", Assert.Throws<CompiledArtifactException>(() => Save(Mlp().Compile())).Message);
        using var off = DispatcherCapture.TurnOff("the call is to stay a call");
        var opaque = new Opaque().Compile(randn(3, 3));
        Assert.StartsWith("calls that no operator stands for cannot be saved: torchsharp::", Assert.Throws<CompiledArtifactException>(() => Save(opaque)).Message);
        var growing = new Growing().Compile(randn(1, 2));
        Assert.Contains("Growing._seen and reads it again", Assert.Throws<CompiledArtifactException>(() => Save(growing)).Message);
        Assert.Matches(@"torchsharp::\S+ \(Opaque.forward CompiledArtifactTests.cs:\d+\)", Assert.Throws<CompiledArtifactException>(() => Save(opaque)).Message);
        Assert.Throws<CompiledArtifactException>(() => Mlp().Compile(randn(3, 8)).Save(Path.Combine(Folder, "no", "folder", "a.tkx")));
        using var artifact = Compiled.Load(Save(Mlp().Compile(randn(3, 8))));
        Assert.EndsWith("is given null in place of a tensor", Assert.Throws<CompiledArtifactException>(() => artifact.forward([null!])).Message);
    }

    private sealed class Opaque() : nn.Module<Tensor, Tensor>(nameof(Opaque))
    {
        public override Tensor forward(Tensor input) => linalg.pinv(input);
    }

    private sealed class Growing : nn.Module<Tensor, Tensor>
    {
        private Tensor _seen = zeros(1, 2);

        public Growing()
            : base(nameof(Growing)) => RegisterComponents();

        public override Tensor forward(Tensor input)
        {
            _seen = (_seen + input).DetachFromDisposeScope();
            return _seen.sum();
        }
    }
}
