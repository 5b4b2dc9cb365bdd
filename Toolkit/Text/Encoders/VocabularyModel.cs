using System.Text.Json;

namespace Toolkit.Text;

/// <summary>The vocabulary of a tokenizer and how a part of a text becomes tokens of it (the <c>model</c> of a tokenizer.json).</summary>
internal abstract record VocabularyModel
{
    /// <summary>Spelling to id.</summary>
    public required Dictionary<string, int> Vocabulary { get; init; }

    /// <summary>The encoder of parts of a text.</summary>
    /// <exception cref="InvalidDataException">The vocabulary does not fit together.</exception>
    public abstract PieceEncoder Encoder();

    /// <summary>The id of a token, or null.</summary>
    public int? Id(string token) => Vocabulary.TryGetValue(token, out var id) ? id : null;
}

/// <summary>A vocabulary that a tokenizer.json can hold.</summary>
internal abstract record JsonVocabularyModel : VocabularyModel
{
    /// <summary>Writes the fields of the <c>model</c>.</summary>
    public abstract void Write(Utf8JsonWriter json);

    /// <summary>Reads the <c>model</c> of a tokenizer.json; files of before 2020 do not name its type.</summary>
    public static JsonVocabularyModel Read(JsonFields json) => (json.TextOr("type", null) ?? Guess(json)) switch
    {
        "BPE" => BytePairModel.Read(json),
        "WordPiece" => WordPieceModel.Read(json),
        "WordLevel" => WordLevelModel.Read(json),
        "Unigram" => UnigramModel.Read(json),
        var other => throw new NotSupportedException($"model is of type {other}, which is not supported"),
    };

    /// <summary>Reads <c>vocab</c> where it is an object of ids.</summary>
    protected static Dictionary<string, int> ReadVocabulary(JsonFields json)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var field = json.Object("vocab").Element;
        vocabulary.EnsureCapacity(field.GetPropertyCount());
        foreach (var token in field.EnumerateObject())
        {
            vocabulary[JsonFields.NameOf(token)] = token.Value.ValueKind == JsonValueKind.Number && token.Value.TryGetInt32(out var id) && id >= 0
                ? id : throw new InvalidDataException($"model.vocab: the token '{token.Name}' has the id {token.Value.GetRawText()}, which is not a whole number from 0 on");
        }

        return vocabulary;
    }

    /// <summary>Writes <c>vocab</c> as an object of ids, in their order.</summary>
    protected void WriteVocabulary(Utf8JsonWriter json)
    {
        json.WriteStartObject("vocab");
        foreach (var (token, id) in Vocabulary.OrderBy(token => token.Value))
        {
            json.WriteNumber(token, id);
        }

        json.WriteEndObject();
    }

    private static string Guess(JsonFields json) => json.Field("merges") is not null ? "BPE"
        : json.Field("continuing_subword_prefix") is not null ? "WordPiece"
        : json.Field("vocab")?.ValueKind == JsonValueKind.Array ? "Unigram"
        : json.Field("vocab") is not null ? "WordLevel" : "unknown";
}
