using Toolkit.Checkpoints;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>Files in fixtures/torch were written by PyTorch itself (make.py there).</summary>
public sealed class TorchFileTests : IDisposable
{
    private static readonly string Fixture = Path.Combine(Fixtures.Folder, "torch");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("torch-file");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void TensorsAreThoseThatPyTorchSaved()
    {
        using var scope = NewDisposeScope();
        using var file = Checkpoint.Open(Path.Combine(Fixture, "tensors.bin"));
        using var expected = SafeTensorsFile.Open(Path.Combine(Fixture, "tensors.safetensors"));
        Assert.Equal(expected.Entries.Keys.Order(StringComparer.Ordinal), file.Names);
        foreach (var (name, entry) in expected.Entries)
        {
            Assert.Equal(entry.DataType, file.Entry(name).DataType);
            Assert.Equal(entry.ByteCount, file.Entry(name).ByteCount);
            var actual = file.Load(name);
            Assert.Equal(entry.Shape, actual.shape);
            Assert.Equal(Files.Bytes(expected.Load(name)), Files.Bytes(actual));
        }
    }

    [Fact]
    public void TensorsOfOneStorageShareTheMapAndTheFileStays()
    {
        using var scope = NewDisposeScope();
        var path = Path.Combine(Fixture, "tensors.bin");
        var before = File.ReadAllBytes(path);
        using var file = Checkpoint.Open(path);
        var whole = file.Load("same");
        whole[3, 0] = 42f;
        Assert.Equal(42f, file.Load("row")[0].item<float>());
        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Theory]
    [InlineData("evil.bin", "the pickle asks for posix.system, which tensors do not need; nothing of it is executed")]
    [InlineData("module.bin", "the pickle asks for torch.nn.modules.linear.Linear")]
    [InlineData("optimizer.bin", "a dictionary whose keys are no texts")]
    [InlineData("legacy.bin", "it was written by a PyTorch before 1.6")]
    [InlineData("script.bin", "it is a TorchScript program")]
    [InlineData("float8.bin", "which tensors do not need")]
    [InlineData("expanded.bin", "tensor \"w\": a tensor of shape (2, 1000) and strides (1, 0) from number 0 is not in its storage of 2")]
    [InlineData("conj.bin", "torch._utils._rebuild_tensor_v2 with other arguments than tensors have")]
    public void EverythingElseIsRefusedWithTheReason(string name, string expected)
    {
        var path = Path.Combine(Fixture, name);
        var problem = Assert.Throws<CheckpointException>(() => Checkpoint.Open(path));
        Assert.StartsWith(path, problem.Message);
        Assert.Contains(expected, problem.Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFolderOfPyTorchFilesIsAModel(bool sharded)
    {
        using var scope = NewDisposeScope();
        var reference = Path.Combine(Fixtures.Folder, "references", "llama-tied");
        using var original = Checkpoint.Open(reference);
        var halves = original.Names.Chunk(sharded ? (original.Names.Count + 1) / 2 : original.Names.Count).ToArray();
        var files = halves.Select((_, i) => sharded ? $"pytorch_model-{i + 1:D5}-of-{halves.Length:D5}.bin" : "pytorch_model.bin").ToArray();
        foreach (var (names, file) in halves.Zip(files))
        {
            File.WriteAllBytes(Path.Combine(_folder.FullName, file), TorchArchive.Of(names.ToDictionary(name => name, original.Load)));
        }

        if (sharded)
        {
            var map = halves.Zip(files).SelectMany(pair => pair.First.Select(name => $"\"{name}\":\"{pair.Second}\""));
            File.WriteAllText(Path.Combine(_folder.FullName, "pytorch_model.bin.index.json"), "{\"weight_map\":{" + string.Join(',', map) + "}}");
        }

        File.Copy(Path.Combine(reference, "config.json"), Path.Combine(_folder.FullName, "config.json"));
        using var model = Decoder.Load(_folder.FullName);
        using var expectations = SafeTensorsFile.Open(Path.Combine(reference, "expected.safetensors"));
        Assert.True(model.forward(expectations.Load("input_ids")).sub(expectations.Load("logits")).abs().max().item<float>() < 1e-4);
    }

    [Fact]
    public void SafetensorsComeFirst()
    {
        using var scope = NewDisposeScope();
        File.WriteAllBytes(Path.Combine(_folder.FullName, "pytorch_model.bin"), TorchArchive.Of(new() { ["w"] = zeros(2) }));
        using (var file = Checkpoint.Open(_folder.FullName))
        {
            Assert.Equal(0f, file.Load("w").sum().item<float>());
        }

        Checkpoint.Save(_folder.FullName, new Dictionary<string, Tensor> { ["w"] = ones(2) });
        using var both = Checkpoint.Open(_folder.FullName);
        Assert.Equal(2f, both.Load("w").sum().item<float>());
    }
}
