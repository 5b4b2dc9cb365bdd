using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>What we write runs in llama.cpp, and it says the same.</summary>
public sealed class LlamaCppTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("llamacpp");

    private string FilePath => Path.Combine(_folder.FullName, "model.gguf");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [Trait("Needs", "llama.cpp")]
    [InlineData("llama-gqa", GgufType.F32, 3e-4)]
    [InlineData("llama-tied", GgufType.F32, 3e-4)]
    [InlineData("qwen2", GgufType.F32, 3e-4)]
    [InlineData("gpt2", GgufType.F32, 3e-4)]
    [InlineData("llama-gqa", GgufType.F16, 1e-3)]
    [InlineData("llama-gqa", GgufType.BF16, 1e-3)]
    [InlineData("llama-gqa", GgufType.Q8_0, 2e-3)]
    [InlineData("llama-gqa", GgufType.Q4_0, 3e-3)]
    [InlineData("gpt2", GgufType.Q8_0, 2e-3)]
    [InlineData("qwen2", GgufType.Q4_0, 3e-3)]
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

    [Theory]
    [Trait("Needs", "llama.cpp")]
    [InlineData("""{"rope_type":"llama3","rope_theta":1000.0,"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":32}""")]
    [InlineData("""{"rope_type":"linear","rope_theta":10000.0,"factor":4.0}""")]
    [InlineData("""{"rope_type":"yarn","rope_theta":10000.0,"factor":4.0,"original_max_position_embeddings":32}""")]
    public void ScaledPositionsAreTurnedTheSame(string rope)
    {
        using var scope = NewDisposeScope();
        var json = DecoderConfig.Llama(2, 64, 4, 2, 384, maxPositions: 128).ToJson();
        json["rope_parameters"] = JsonNode.Parse(rope);
        json.Remove("rope_theta");
        using var model = Decoder.Create(DecoderConfig.FromJson(json), 9);
        using (no_grad())
        {
            foreach (var matrix in model.parameters().Where(parameter => parameter.dim() == 2))
            {
                matrix.mul_(8);
            }
        }

        model.SaveGguf(FilePath, GgufType.F32, Tokenizer());
        using var generator = new Generator(4);
        var ids = randint(3, 383, [100], ScalarType.Int64, generator: generator);
        Compare(model, ids, LlamaCpp.NextTokens(FilePath, ids.data<long>().ToArray()), 1e-3);
    }

    /// <summary>The file and what llama.cpp says of it are in the fixtures, so this needs no llama.cpp.</summary>
    [Fact]
    public void WhatLlamaCppWroteRunsHere()
    {
        using var scope = NewDisposeScope();
        var path = Path.Combine(Fixtures.Folder, "gguf", "llama-q4_k_m.gguf");
        var recorded = JsonNode.Parse(File.ReadAllText(Path.ChangeExtension(path, ".json")))!;
        using var model = Decoder.Load(path);
        var top = recorded["top"]!.AsArray().Select(pairs => pairs!.AsArray().Select(pair => ((int)pair![0]!.GetValue<double>(), pair[1]!.GetValue<double>())).ToArray()).ToArray();
        Compare(model, tensor(recorded["ids"]!.AsArray().Select(id => id!.GetValue<long>()).ToArray()), top, 0.01);
    }

    /// <summary>384 tokens, as the reference models have.</summary>
    private List<KeyValuePair<string, object>> Tokenizer()
    {
        var text = string.Join(' ', Enumerable.Range(0, 500).Select(i => $"word{i % 37} of number{i % 91} and letter {(char)('a' + (i % 26))}"));
        var file = Path.Combine(_folder.FullName, "tokenizer.json");
        Toolkit.Text.Tokenizer.Train([text], 384).Save(file);
        return [.. GgufModel.TokenizerMetadata(JsonNode.Parse(File.ReadAllText(file))!.AsObject(), 384, 1, 2)];
    }

    /// <summary>Their three most probable tokens have our probabilities within the tolerance, and the first is ours wherever no other is as near.</summary>
    private static void Compare(Decoder model, Tensor ids, (int Token, double Probability)[][] theirs, double tolerance)
    {
        var probabilities = nn.functional.softmax(model.Forward(ids.unsqueeze(0), null)[0], -1); // (T, V)
        Assert.Equal(ids.shape[0], theirs.Length);
        var (farthest, same) = (0.0, 0);
        for (var position = 0; position < theirs.Length; position++)
        {
            var ours = probabilities[position];
            farthest = Math.Max(farthest, theirs[position].Max(pair => Math.Abs(ours[pair.Token].item<float>() - pair.Probability)));
            var best = (int)ours.argmax().item<long>();
            same += best == theirs[position][0].Token ? 1 : 0;
            var gap = ours[best].item<float>() - ours[theirs[position][0].Token].item<float>();
            Assert.True(gap <= 2 * tolerance, $"position {position}: {best} here, {theirs[position][0].Token} there, which is less probable here by {gap}");
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"probabilities differ by {farthest:0.0e0} at most; {same} of {theirs.Length} first tokens are the same");
        Assert.True(farthest < tolerance, $"a probability differs by {farthest}");
        Assert.True(same >= theirs.Length * 9 / 10, $"only {same} of {theirs.Length} first tokens are the same");
    }
}
