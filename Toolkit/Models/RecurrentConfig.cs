using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>The shape of a model that keeps a state instead of keys and values: everything but its weights.</summary>
public abstract record RecurrentConfig
{
    /// <summary>The family, as <c>config.json</c> names it.</summary>
    public abstract string ModelType { get; }

    /// <summary>Token ids that the model knows.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int Width { get; init; }

    /// <summary>Blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>ε of the norms.</summary>
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>Whether the head is the embedding table.</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>Id that begins a text, if the model has one.</summary>
    public int? BeginTokenId { get; init; }

    /// <summary>Ids that end a text.</summary>
    public ValueList<int> EndTokenIds { get; init; } = new([]);

    /// <summary>Fewest numbers that a model of this shape has, counted without overflow.</summary>
    internal abstract double Size { get; }

    /// <summary>What <c>config.json</c> holds.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject
        {
            ["model_type"] = ModelType,
            ["vocab_size"] = VocabularySize,
            ["hidden_size"] = Width,
            ["num_hidden_layers"] = Layers,
            ["layer_norm_epsilon"] = NormEpsilon,
            ["tie_word_embeddings"] = TieEmbeddings,
            ["bos_token_id"] = BeginTokenId,
            ["eos_token_id"] = EndTokenIds.Count switch
            {
                0 => null,
                1 => EndTokenIds[0],
                _ => new JsonArray([.. EndTokenIds.Select(id => (JsonNode)id)]),
            },
        };
        Fill(json);
        return json;
    }

    /// <summary>Writes <c>config.json</c> into a folder.</summary>
    public void Save(string folder) => ConfigFile.Write(folder, ToJson());

    /// <summary>Adds the family's fields.</summary>
    private protected abstract void Fill(JsonObject json);

    /// <summary>The first id of a field, or null.</summary>
    private protected static int? First(IReadOnlyList<int> ids) => ids.Count > 0 ? ids[0] : null;

    /// <exception cref="ArgumentException">One of these is not positive.</exception>
    private protected static void RequirePositive(params ReadOnlySpan<(string Name, double Value)> numbers)
    {
        foreach (var (name, value) in numbers)
        {
            if (!(value > 0))
            {
                throw new ArgumentException($"{name} {value} is not positive");
            }
        }
    }
}
