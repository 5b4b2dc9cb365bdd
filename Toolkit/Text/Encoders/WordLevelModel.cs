using System.Text.Json;

namespace Toolkit.Text;

/// <summary>A vocabulary of whole words.</summary>
internal sealed record WordLevelModel : JsonVocabularyModel
{
    /// <summary>What stands for a word that the vocabulary lacks.</summary>
    public string Unknown { get; init; } = "<unk>";

    /// <summary>Reads the <c>model</c> of a tokenizer.json.</summary>
    public static new WordLevelModel Read(JsonFields json) => new() { Vocabulary = ReadVocabulary(json), Unknown = json.TextOr("unk_token", "<unk>")! };

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteString("type", "WordLevel");
        json.WriteString("unk_token", Unknown);
        WriteVocabulary(json);
    }

    /// <inheritdoc/>
    public override PieceEncoder Encoder() => new Words(this, Id(Unknown));

    private sealed class Words(WordLevelModel model, int? unknown) : PieceEncoder
    {
        protected override int[] Encode(ReadOnlySpan<char> piece) => model.Id(piece.ToString()) is { } id ? [id]
            : unknown is { } stand ? [stand] : throw new InvalidDataException($"the vocabulary lacks the word '{piece}' and the unknown token '{model.Unknown}'");
    }
}
