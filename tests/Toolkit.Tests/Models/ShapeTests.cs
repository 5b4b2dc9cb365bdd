using System.Text.Json.Nodes;
using Toolkit.Models;
using Toolkit.Tests.Models.Naive;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

/// <summary>Every family in shapes that nobody chose: logits against plain loops, the cache and padding.</summary>
public sealed class ShapeTests : IDisposable
{
    private const int Shapes = 6;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("shape");

    public static TheoryData<string> Families { get; } = [.. DecoderConfig.KnownFamilies];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Families))]
    public void ShapesOfAllKindsAreRight(string family)
    {
        var random = new Random(Seed: 17);
        for (var i = 0; i < Shapes; i++)
        {
            using var scope = NewDisposeScope();
            using var noGradient = no_grad();
            var config = Shape(family, random);
            using var model = FamilyTests.Make(config.ToJsonString(), _folder.FullName);
            var ids = randint(0, 50, [2, 30], ScalarType.Int64);
            using var weights = new NaiveWeights(_folder.FullName);
            for (var row = 0; row < 2; row++)
            {
                var own = ids.narrow(0, row, 1);
                var logits = NaiveDecoder.Logits(config, weights, [.. own.data<long>().ToArray().Select(id => (int)id)]);
                var expected = tensor(logits.SelectMany(values => values.Select(x => (float)x)).ToArray()).view(1, 30, -1);
                var error = Tensors.Difference(model.forward(own), expected);
                Assert.True(error < 1e-4f, $"{error} in {config.ToJsonString()}");
            }

            FamilyContract.CacheChangesNothing(model, ids);
            FamilyContract.PaddingChangesNothing(model, ids);
        }
    }

    private static JsonNode Shape(string family, Random random)
    {
        var keyValueHeads = random.Next(1, 4);
        var heads = keyValueHeads * random.Next(1, 4);
        var half = random.Next(2, 9);
        var width = heads * half * 2;
        var layers = random.Next(1, 4);
        var json = new JsonObject { ["model_type"] = family, ["vocab_size"] = 50, ["tie_word_embeddings"] = family is "gpt2" or "bloom" or "falcon" or "opt" or "gemma2" };
        switch (family)
        {
            case "gpt2":
                (json["n_embd"], json["n_layer"], json["n_head"], json["n_positions"]) = (width, layers, heads, 40);
                json["n_inner"] = random.Next(2) == 0 ? null : random.Next(3, 70);
                break;
            case "bloom":
                (json["hidden_size"], json["n_layer"], json["n_head"]) = (width, layers, random.Next(1, 14));
                json["hidden_size"] = (int)json["n_head"]! * half;
                break;
            default:
                (json["hidden_size"], json["num_hidden_layers"], json["num_attention_heads"]) = (width, layers, heads);
                (json["intermediate_size"], json["ffn_dim"], json["ffn_hidden_size"]) = (random.Next(3, 70), random.Next(3, 70), random.Next(3, 70));
                json["num_key_value_heads"] = keyValueHeads;
                json["max_position_embeddings"] = 64;
                break;
        }

        Add(family, json, random, keyValueHeads);
        return JsonNode.Parse(json.ToJsonString())!; // as a file is read
    }

    /// <summary>What only some families have.</summary>
    private static void Add(string family, JsonObject json, Random random, int keyValueHeads)
    {
        switch (family)
        {
            case "llama":
                json["head_dim"] = random.Next(1, 9) * 2;
                (json["attention_bias"], json["mlp_bias"]) = (random.Next(2) == 0, random.Next(2) == 0);
                break;
            case "mistral" or "phi3":
                json["sliding_window"] = random.Next(3) == 0 ? null : random.Next(1, 40);
                break;
            case "mixtral":
                json["num_local_experts"] = random.Next(2, 6);
                json["num_experts_per_tok"] = random.Next(1, (int)json["num_local_experts"]! + 1);
                json["sliding_window"] = random.Next(2) == 0 ? null : random.Next(1, 40);
                json["rope_theta"] = 1e6;
                break;
            case "qwen2":
                (json["use_sliding_window"], json["sliding_window"], json["max_window_layers"]) = (random.Next(2) == 0, random.Next(1, 40), random.Next(0, 4));
                break;
            case "qwen3":
                json["head_dim"] = random.Next(1, 9) * 2;
                break;
            case "smollm3":
                json["rope_theta"] = 2e6;
                break;
            case "gemma2":
                (json["head_dim"], json["query_pre_attn_scalar"], json["sliding_window"]) = (random.Next(1, 9) * 2, random.Next(4, 60), random.Next(1, 40));
                json["attn_logit_softcapping"] = random.Next(2) == 0 ? null : random.Next(1, 9);
                json["final_logit_softcapping"] = random.Next(2) == 0 ? null : random.Next(1, 9);
                break;
            case "gpt_neox":
                json["rotary_pct"] = random.Next(2) == 0 ? 1.0 : 0.5;
                json["hidden_size"] = (int)json["num_attention_heads"]! * 4 * random.Next(1, 5);
                json["use_parallel_residual"] = random.Next(2) == 0;
                break;
            case "opt":
                json["do_layer_norm_before"] = random.Next(2) == 0;
                json["word_embed_proj_dim"] = random.Next(2) == 0 ? null : random.Next(3, 30);
                break;
            case "falcon":
                json["num_kv_heads"] = keyValueHeads;
                json["new_decoder_architecture"] = random.Next(2) == 0;
                json["multi_query"] = random.Next(2) == 0;
                json["parallel_attn"] = (bool)json["new_decoder_architecture"]! || random.Next(2) == 0;
                (json["bias"], json["alibi"]) = (random.Next(2) == 0, random.Next(2) == 0);
                break;
        }
    }
}
