using Toolkit.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

public sealed class CheckpointTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("checkpoint");

    private string Index => Path.Combine(_folder.FullName, "model.safetensors.index.json");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(1L << 30, 1)]
    [InlineData(2000, 3)]
    [InlineData(1, 8)]
    public void ComesBackFromOneFileOrShards(long maxShardBytes, int files)
    {
        using var scope = NewDisposeScope();
        var tensors = Tensors(8);
        Checkpoint.Save(_folder.FullName, tensors, maxShardBytes);
        Assert.Equal(files, _folder.GetFiles("*.safetensors").Length);
        Assert.Equal(files > 1, File.Exists(Index));
        using var checkpoint = Checkpoint.Open(_folder.FullName);
        Assert.Equal(tensors.Keys.Order(StringComparer.Ordinal), checkpoint.Names);
        foreach (var (name, expected) in tensors)
        {
            Assert.True(checkpoint.Contains(name));
            Assert.Equal(expected.shape, checkpoint.Entry(name).Shape);
            Assert.Equal(Files.Bytes(expected), Files.Bytes(checkpoint.Load(name)));
        }
    }

    [Fact]
    public void AnotherSaveReplacesTheOneBefore()
    {
        using var scope = NewDisposeScope();
        Checkpoint.Save(_folder.FullName, Tensors(8), 1000);
        File.WriteAllText(Path.Combine(_folder.FullName, "notes.txt"), "kept");
        Checkpoint.Save(_folder.FullName, Tensors(2));
        Assert.Equal(["model.safetensors", "notes.txt"], _folder.GetFiles().Select(file => file.Name).Order());
        Checkpoint.Save(_folder.FullName, Tensors(8), 1000);
        Assert.False(File.Exists(Path.Combine(_folder.FullName, "model.safetensors")));
        using var checkpoint = Checkpoint.Open(_folder.FullName);
        Assert.Equal(8, checkpoint.Names.Count);
    }

    [Fact]
    public void ASaveThatFailsLeavesTheOneBefore()
    {
        using var scope = NewDisposeScope();
        Checkpoint.Save(_folder.FullName, Tensors(3));
        var before = File.ReadAllBytes(Path.Combine(_folder.FullName, "model.safetensors"));
        var broken = Tensors(8);
        broken["t7"].Dispose();
        Assert.Contains("tensor \"t7\"", Assert.Throws<CheckpointException>(() => Checkpoint.Save(_folder.FullName, broken, 1000)).Message);
        Assert.Equal(["model.safetensors"], _folder.GetFiles().Select(file => file.Name));
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(_folder.FullName, "model.safetensors")));
    }

    [Theory]
    [InlineData("""{"weight_map":{"t0":"gone.safetensors"}}""", "gone.safetensors", "cannot be read")]
    [InlineData("""{"weight_map":{"other":"model.safetensors"}}""", "tensor \"other\"", "which does not hold it")]
    [InlineData("""{"weight_map":{"t0":"../model.safetensors"}}""", "tensor \"t0\"", "is not a file of this folder")]
    [InlineData("""{"weight_map":{"t0":"/etc/passwd"}}""", "tensor \"t0\"", "is not a file of this folder")]
    [InlineData("""{"weight_map":{"t0":7}}""", "tensor \"t0\"", "does not name its shard with a string")]
    [InlineData("""{"weight_map":[]}""", "index.json", "no object weight_map")]
    [InlineData("""{"weight_map":""", "index.json", "not valid JSON")]
    public void MalformedIndexesAreRefused(string index, string place, string problem)
    {
        using var scope = NewDisposeScope();
        Checkpoint.Save(_folder.FullName, Tensors(1));
        File.WriteAllText(Index, index);
        var message = Assert.Throws<CheckpointException>(() => Checkpoint.Open(Index)).Message;
        Assert.Contains(place, message);
        Assert.Contains(problem, message);
    }

    [Fact]
    public void SaysWhatAFolderLacks()
    {
        var message = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder.FullName)).Message;
        Assert.Contains(_folder.FullName, message);
        Assert.Contains("holds neither model.safetensors nor", message);
        using var scope = NewDisposeScope();
        Checkpoint.Save(_folder.FullName, Tensors(1));
        using var checkpoint = Checkpoint.Open(_folder.FullName);
        Assert.Contains("tensor \"no\": the checkpoint has no tensor", Assert.Throws<CheckpointException>(() => checkpoint.Load("no")).Message);
    }

    private static Dictionary<string, Tensor> Tensors(int count) =>
        Enumerable.Range(0, count).ToDictionary(i => $"t{i}", i => Files.Values(Files.Types[i % Files.Types.Length], [10, 20], i));
}
