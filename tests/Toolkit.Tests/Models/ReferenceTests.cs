using Toolkit.Checkpoints;
using Toolkit.Models;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

/// <summary>
/// The contract of every family, on models that transformers wrote with its own logits: same logits, same greedy tokens, the same through the cache,
/// the same in a padded batch, and the same file when saved.
/// </summary>
public sealed class ReferenceTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("reference");

    public static TheoryData<string> References { get; } =
        ["llama-gqa", "llama-tied", "mistral-window", "mixtral-moe", "qwen2", "qwen3", "gpt2", "gpt-neox", "bloom-alibi"];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(References))]
    public void LogitsAndGreedyTokensAreThoseOfTransformers(string name)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Decoder.Load(Reference(name));
        using var expected = Checkpoint.Open(Path.Combine(Reference(name), "expected.safetensors"));
        var ids = expected.Load("input_ids");
        var logits = model.forward(ids);
        var error = Tensors.Difference(logits, expected.Load("logits"));
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {error:0.0e+0}");
        Assert.InRange(error, 0, 1e-4f);

        // The reference asked for exactly 16 new tokens, so it could not choose the end of text.
        var plain = ids;
        for (var i = 0; i < 16; i++)
        {
            plain = cat([plain, Tensors.Best(model.forward(plain), model.Config.EndTokenId!.Value)], 1);
        }

        Assert.True(plain.eq(expected.Load("greedy")).all().item<bool>());
    }

    [Theory]
    [MemberData(nameof(References))]
    public void TheCacheChangesNothing(string name)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Decoder.Load(Reference(name));
        using var expected = Checkpoint.Open(Path.Combine(Reference(name), "expected.safetensors"));
        FamilyContract.CacheChangesNothing(model, expected.Load("greedy"));
    }

    [Theory]
    [MemberData(nameof(References))]
    public void PaddingChangesNothing(string name)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Decoder.Load(Reference(name));
        using var expected = Checkpoint.Open(Path.Combine(Reference(name), "expected.safetensors"));
        FamilyContract.PaddingChangesNothing(model, expected.Load("input_ids"));
    }

    [Theory]
    [MemberData(nameof(References))]
    public void SavedItIsTheSameFile(string name)
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Load(Reference(name));
        model.Save(_folder.FullName);
        Assert.Equal(model.Config, DecoderConfig.Load(_folder.FullName));
        using var original = Checkpoint.Open(Reference(name));
        using var saved = Checkpoint.Open(_folder.FullName);
        Assert.Equal(original.Names, saved.Names);
        foreach (var tensor in original.Names)
        {
            Assert.Equal(original.Entry(tensor).ToString(), saved.Entry(tensor).ToString());
            Assert.Equal(original.Load(tensor).bytes.ToArray(), saved.Load(tensor).bytes.ToArray());
        }

        Assert.Equal(File.ReadAllBytes(Path.Combine(Reference(name), "model.safetensors")), File.ReadAllBytes(Path.Combine(_folder.FullName, "model.safetensors")));
    }

    private static string Reference(string name) => Path.Combine(Fixtures.Folder, "references", name);
}
