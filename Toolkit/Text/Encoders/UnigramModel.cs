using System.Text.Json;

namespace Toolkit.Text;

/// <summary>A vocabulary of pieces with log-probabilities: of all ways to spell a text the most probable one is taken (Kudo, 2018).</summary>
internal sealed record UnigramModel : JsonVocabularyModel
{
    /// <summary>The pieces by id.</summary>
    public required IReadOnlyList<(string Piece, double Score)> Pieces { get; init; }

    /// <summary>What stands for a character that no piece spells; null: it is an error that says so.</summary>
    public int? Unknown { get; init; }

    /// <summary>Whether such a character is written as its bytes, <c>&lt;0xE2&gt;</c>.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Pieces that are in the vocabulary and are never used to spell a text.</summary>
    public IReadOnlySet<int> Hidden { get; init; } = new HashSet<int>();

    /// <summary>Reads the <c>model</c> of a tokenizer.json.</summary>
    public static new UnigramModel Read(JsonFields json)
    {
        var pieces = new List<(string, double)>();
        foreach (var item in json.Items("vocab"))
        {
            pieces.Add(item.ValueKind == JsonValueKind.Array && item.GetArrayLength() == 2 && item[0].ValueKind == JsonValueKind.String && item[1].ValueKind == JsonValueKind.Number
                ? (JsonFields.String(item[0]), item[1].GetDouble()) : throw new InvalidDataException($"model.vocab[{pieces.Count}] is not a piece and its score"));
        }

        return Of(pieces, json.Field("unk_id") is null ? null : json.Number("unk_id"), json.Flag("byte_fallback", false));
    }

    /// <summary>The model of some pieces.</summary>
    /// <exception cref="InvalidDataException">There are none, or the unknown one is none of them, or a score is not a number.</exception>
    public static UnigramModel Of(IReadOnlyList<(string Piece, double Score)> pieces, int? unknown, bool byteFallback, IReadOnlySet<int>? hidden = null)
    {
        if (unknown is { } id && (id < 0 || id >= pieces.Count))
        {
            throw new InvalidDataException($"model.unk_id is {id}, but the vocabulary has {pieces.Count} pieces");
        }

        var vocabulary = new Dictionary<string, int>(pieces.Count, StringComparer.Ordinal);
        foreach (var (index, (piece, score)) in pieces.Index())
        {
            if (double.IsNaN(score) || double.IsInfinity(score))
            {
                throw new InvalidDataException($"the score of the piece '{piece}' is {score}");
            }

            vocabulary[piece] = index;
        }

        return new() { Vocabulary = vocabulary, Pieces = pieces, Unknown = unknown, ByteFallback = byteFallback, Hidden = hidden ?? new HashSet<int>() };
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteString("type", "Unigram");
        if (Unknown is { } unknown)
        {
            json.WriteNumber("unk_id", unknown);
        }
        else
        {
            json.WriteNull("unk_id");
        }

        json.WriteStartArray("vocab");
        foreach (var (piece, score) in Pieces)
        {
            json.WriteStartArray();
            json.WriteStringValue(piece);
            json.WriteNumberValue(score);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteBoolean("byte_fallback", ByteFallback);
    }

    /// <inheritdoc/>
    public override PieceEncoder Encoder() => new UnigramEncoder(this);
}
