using System.Text.Json;
using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>Models of Hugging Face folders, to GGUF and back.</summary>
public sealed class GgufModelTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gguf-model");

    private string FilePath => Path.Combine(_folder.FullName, "model.gguf");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("llama-gqa")]
    [InlineData("llama-tied")]
    [InlineData("mistral-wide")]
    [InlineData("qwen2")]
    [InlineData("gpt2")]
    public void ReferencesComeBackAsTheyWere(string reference)
    {
        using var scope = NewDisposeScope();
        var folder = Reference(reference);
        using var model = Decoder.Load(folder);
        model.SaveGguf(FilePath, GgufType.F32);
        using var loaded = Decoder.Load(FilePath);
        Assert.Equal(model.Config with { ModelType = loaded.Config.ModelType }, loaded.Config);
        Assert.Equal(model.named_parameters().Select(p => p.name), loaded.named_parameters().Select(p => p.name));
        foreach (var ((name, expected), (_, actual)) in model.named_parameters().Zip(loaded.named_parameters()))
        {
            Assert.True(Files.Bytes(expected).AsSpan().SequenceEqual(Files.Bytes(actual)), name);
        }

        using var expectations = SafeTensorsFile.Open(Path.Combine(Fixtures.Folder, "references", reference == "mistral-wide" ? "llama-gqa" : reference, "expected.safetensors"));
        var difference = loaded.forward(expectations.Load("input_ids")).sub(expectations.Load("logits")).abs().max().item<float>();
        Assert.True(difference < 1e-4, $"{difference}");
    }

    [Theory]
    [InlineData(GgufType.F16, 2e-3)]
    [InlineData(GgufType.BF16, 1e-2)]
    [InlineData(GgufType.Q8_0, 1e-2)]
    [InlineData(GgufType.Q4_0, 2e-1)]
    public void OtherTypesComeNear(GgufType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Load(Reference("llama-gqa"));
        model.SaveGguf(FilePath, type);
        using var file = GgufFile.Open(FilePath);
        Assert.Equal(type, file.Tensors["blk.0.attn_q.weight"].Type);
        Assert.Equal(GgufType.F32, file.Tensors["blk.0.attn_norm.weight"].Type);
        // 176 numbers a row are no whole blocks.
        Assert.Equal(type is GgufType.Q8_0 or GgufType.Q4_0 ? GgufType.F16 : type, file.Tensors["blk.0.ffn_down.weight"].Type);
        using var loaded = Decoder.Load(FilePath);
        foreach (var ((name, expected), (_, actual)) in model.named_parameters().Zip(loaded.named_parameters()))
        {
            var error = actual.sub(expected).norm().item<float>() / expected.norm().item<float>();
            Assert.True(error < tolerance, $"{name}: {error}");
        }
    }

    [Theory]
    [InlineData("""{"rope_type":"llama3","rope_theta":500000.0,"factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192}""")]
    [InlineData("""{"rope_type":"linear","rope_theta":10000.0,"factor":4.0}""")]
    [InlineData("""{"rope_type":"yarn","rope_theta":1000000.0,"factor":4.0,"original_max_position_embeddings":512}""")]
    public void ScaledPositionsComeBack(string rope)
    {
        using var scope = NewDisposeScope();
        var json = Config("llama", rope);
        json["max_position_embeddings"] = 131072;
        var config = DecoderConfig.FromJson(json);
        using var model = Decoder.Create(config, 1);
        model.SaveGguf(FilePath, GgufType.F32);
        using var loaded = Decoder.Load(FilePath);
        Assert.Equal(config, loaded.Config);
    }

    [Theory]
    [InlineData("llama", """{"rope_type":"dynamic","rope_theta":10000.0,"factor":4.0}""", null, "rope_type \"dynamic\" cannot be written as GGUF")]
    [InlineData("llama", null, """{"hidden_act":"gelu"}""", "hidden_act \"gelu\" cannot be written as GGUF")]
    [InlineData("mistral", null, """{"sliding_window":16}""", "sliding_window 16 cannot be written as GGUF")]
    [InlineData("qwen3", null, null, "a model of type \"qwen3\" cannot be written as GGUF")]
    public void WhatGgufHasNoPlaceForIsRefused(string modelType, string? rope, string? more, string expected)
    {
        var json = Config(modelType, rope);
        foreach (var (name, value) in JsonNode.Parse(more ?? "{}")!.AsObject())
        {
            json[name] = value!.DeepClone();
        }

        Assert.Contains(expected, Assert.Throws<NotSupportedException>(() => GgufModel.Save(FilePath, json, new Dictionary<string, Tensor>(), GgufType.F32)).Message);
        Assert.Empty(_folder.GetFiles());
    }

    [Theory]
    [InlineData("general.architecture", "bert", "the architecture \"bert\" is not supported; known: llama, qwen2, gpt2")]
    [InlineData("llama.attention.layer_norm_rms_epsilon", null, "the metadata lacks \"llama.attention.layer_norm_rms_epsilon\"")]
    [InlineData("llama.block_count", "two", "the metadata \"llama.block_count\" is two, not a whole number")]
    [InlineData("llama.expert_count", 8u, "a mixture of experts")]
    [InlineData("llama.rope.dimension_count", 8u, "the metadata \"llama.rope.dimension_count\" is 8 where heads have 16 dimensions")]
    [InlineData("llama.rope.scaling.type", "longrope", "\"llama.rope.scaling.type\" is \"longrope\"")]
    [InlineData("llama.embedding_length", 0u, "positive")]
    [InlineData("split.count", (ushort)3, "the model is split into 3 files")]
    public void MetadataThatMakesNoModelIsRefused(string key, object? value, string expected)
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Load(Reference("llama-tied"));
        model.SaveGguf(FilePath);
        using (var file = GgufFile.Open(FilePath))
        {
            var metadata = file.Metadata.Where(pair => pair.Key != key).Concat(value is null ? [] : [KeyValuePair.Create(key, value)]);
            GgufFile.Save(FilePath + ".gguf", new(metadata), file.Tensors.Keys.Select(name => KeyValuePair.Create(name, file.Load(name))), (name, _) => file.Tensors[name].Type);
        }

        var problem = Assert.ThrowsAny<Exception>(() => Decoder.Load(FilePath + ".gguf"));
        Assert.True(problem is CheckpointException or NotSupportedException or InvalidDataException, problem.ToString());
        Assert.Contains(expected, problem.Message);
        Assert.StartsWith(FilePath + ".gguf", problem.Message);
    }

    /// <summary>A folder of the fixtures; mistral-wide is llama-gqa with another name and a window as wide as its positions.</summary>
    private string Reference(string name)
    {
        if (name != "mistral-wide")
        {
            return Path.Combine(Fixtures.Folder, "references", name);
        }

        var source = Path.Combine(Fixtures.Folder, "references", "llama-gqa");
        var folder = _folder.CreateSubdirectory(name).FullName;
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "config.json")))!.AsObject();
        json["model_type"] = "mistral";
        json["sliding_window"] = null;
        File.WriteAllText(Path.Combine(folder, "config.json"), json.ToJsonString());
        File.Copy(Path.Combine(source, "model.safetensors"), Path.Combine(folder, "model.safetensors"));
        return folder;
    }

    private static JsonObject Config(string modelType, string? rope)
    {
        var json = JsonSerializer.SerializeToNode(new
        {
            model_type = modelType,
            vocab_size = 64,
            hidden_size = 32,
            num_hidden_layers = 1,
            num_attention_heads = 2,
            num_key_value_heads = 1,
            head_dim = 16,
            intermediate_size = 48,
            rms_norm_eps = 1e-6,
            max_position_embeddings = 512,
            hidden_act = "silu",
            tie_word_embeddings = true,
            bos_token_id = (int?)null,
            eos_token_id = (int?)null,
        })!.AsObject();
        json["rope_parameters"] = JsonNode.Parse(rope ?? """{"rope_type":"default","rope_theta":10000.0}""");
        return json;
    }
}
