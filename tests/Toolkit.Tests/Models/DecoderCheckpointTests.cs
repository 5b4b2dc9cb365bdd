using Toolkit.Checkpoints;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

public sealed class DecoderCheckpointTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("decoder");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SavedAndLoadedItIsTheSame(bool tied)
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Create(Config(tied), seed: 5);
        model.Save(_folder.FullName);
        using var loaded = Decoder.Load(_folder.FullName);
        Assert.Equal(model.Config, loaded.Config);
        Assert.Equal(model.named_parameters().Select(p => p.name), loaded.named_parameters().Select(p => p.name));
        foreach (var (expected, actual) in model.parameters().Zip(loaded.parameters()))
        {
            Assert.Equal(expected.data<float>().ToArray(), actual.data<float>().ToArray());
        }

        var ids = arange(12, ScalarType.Int64).view(2, 6);
        Assert.Equal(model.forward(ids).data<float>().ToArray(), loaded.forward(ids).data<float>().ToArray());
    }

    [Fact]
    public void MappedWeightsCanBeChangedAndTheFileStays()
    {
        using var scope = NewDisposeScope();
        using (var model = Decoder.Create(Config(tied: false), seed: 5))
        {
            model.Save(_folder.FullName);
        }

        var path = Path.Combine(_folder.FullName, "model.safetensors");
        var before = File.ReadAllBytes(path);
        using var loaded = Decoder.Load(_folder.FullName, map: true);
        var ids = arange(12, ScalarType.Int64).view(2, 6);
        loaded.Loss(ids, ids).backward();
        using (no_grad())
        {
            foreach (var parameter in loaded.parameters())
            {
                Assert.True(parameter.requires_grad);
                parameter.sub_(parameter.grad!);
            }
        }

        Assert.Equal(before, File.ReadAllBytes(path));
        loaded.Save(_folder.FullName);
        using var again = Decoder.Load(_folder.FullName, map: true);
        Assert.NotEqual(before, File.ReadAllBytes(path));
        Assert.Equal(loaded.forward(ids).data<float>().ToArray(), again.forward(ids).data<float>().ToArray());
    }

    [Theory]
    [InlineData("missing", "1 tensors missing (model.norm.weight)")]
    [InlineData("unexpected", "1 unexpected (extra)")]
    [InlineData("shape", "tensor \"model.norm.weight\" has shape (5), the configuration asks for (16)")]
    public void WhatDoesNotFitIsNamedWithItsFile(string problem, string expected)
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Create(Config(tied: true), seed: 5);
        model.Save(_folder.FullName);
        var tensors = model.named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter);
        switch (problem)
        {
            case "missing":
                tensors.Remove("model.norm.weight");
                break;
            case "unexpected":
                tensors["extra"] = ones(2);
                break;
            default:
                tensors["model.norm.weight"] = ones(5);
                break;
        }

        Checkpoint.Save(_folder.FullName, tensors);
        var message = Assert.Throws<CheckpointException>(() => Decoder.Load(_folder.FullName)).Message;
        Assert.Contains(Path.Combine(_folder.FullName, "model.safetensors"), message);
        Assert.Contains(expected, message);
    }

    private static DecoderConfig Config(bool tied) => DecoderConfig.Llama(2, 16, 4, 2, 50, tieEmbeddings: tied);
}
