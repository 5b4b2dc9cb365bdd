using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>What we write runs in llama.cpp, and it says the same.</summary>
[Trait("Needs", "llama.cpp")]
public sealed class LlamaCppTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("llamacpp");

    private string FilePath => Path.Combine(_folder.FullName, "model.gguf");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("llama-gqa", GgufType.F32, 0.02)]
    [InlineData("llama-tied", GgufType.F32, 0.02)]
    [InlineData("qwen2", GgufType.F32, 0.02)]
    [InlineData("gpt2", GgufType.F32, 0.02)]
    [InlineData("llama-gqa", GgufType.F16, 0.02)]
    [InlineData("llama-gqa", GgufType.BF16, 0.05)]
    [InlineData("llama-gqa", GgufType.Q8_0, 0.05)]
    [InlineData("llama-gqa", GgufType.Q4_0, 0.1)]
    [InlineData("gpt2", GgufType.Q8_0, 0.05)]
    [InlineData("qwen2", GgufType.Q4_0, 0.1)]
    public void SaysTheSame(string reference, GgufType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        var folder = Path.Combine(Fixtures.Folder, "references", reference);
        using (var model = Decoder.Load(folder))
        {
            model.SaveGguf(FilePath, type, Tokenizer());
        }

        using var expectations = SafeTensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        var ids = expectations.Load("input_ids")[0];
        using var written = Decoder.Load(FilePath); // with the numbers that llama.cpp has
        Compare(written, ids, LlamaCpp.NextTokens(FilePath, ids.data<long>().ToArray()), tolerance);
    }

    /// <summary>384 tokens, as the reference models have.</summary>
    private List<KeyValuePair<string, object>> Tokenizer()
    {
        var text = string.Join(' ', Enumerable.Range(0, 500).Select(i => $"word{i % 37} of number{i % 91} and letter {(char)('a' + (i % 26))}"));
        var file = Path.Combine(_folder.FullName, "tokenizer.json");
        Toolkit.Text.Tokenizer.Train([text], 384).Save(file);
        return [.. GgufModel.TokenizerMetadata(JsonNode.Parse(File.ReadAllText(file))!.AsObject(), 384, 1, 2)];
    }

    internal static void Compare(Decoder model, Tensor ids, (int Token, double Probability)[][] theirs, double tolerance)
    {
        var logits = model.Forward(ids.unsqueeze(0), null)[0];
        var probabilities = nn.functional.softmax(logits, -1);
        Assert.Equal(ids.shape[0], theirs.Length);
        for (var position = 0; position < theirs.Length; position++)
        {
            var ours = probabilities[position];
            foreach (var (token, probability) in theirs[position])
            {
                Assert.True(Math.Abs(ours[token].item<float>() - probability) < tolerance, $"position {position}, token {token}: {ours[token].item<float>()} here, {probability} there");
            }

            // Where the first two are all but equal either may win.
            var best = (int)ours.argmax().item<long>();
            var gap = theirs[position][0].Probability - theirs[position][1].Probability;
            Assert.True(best == theirs[position][0].Token || gap < tolerance, $"position {position}: {best} here, {theirs[position][0].Token} there, by {gap}");
        }
    }
}
