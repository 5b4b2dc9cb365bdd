using System.Text.Json;

namespace Toolkit.Text;

/// <summary>A vocabulary of words and parts of words (Schuster and Nakajima, 2012; BERT): the longest beginning first, again and again.</summary>
internal sealed record WordPieceModel : JsonVocabularyModel
{
    /// <summary>What stands for a word that cannot be spelt.</summary>
    public string Unknown { get; init; } = "[UNK]";

    /// <summary>What is written before a part that does not begin a word.</summary>
    public string ContinuingPrefix { get; init; } = "##";

    /// <summary>A word of more code points is unknown.</summary>
    public int LongestWord { get; init; } = 100;

    /// <summary>Reads the <c>model</c> of a tokenizer.json.</summary>
    public static new WordPieceModel Read(JsonFields json) => new()
    {
        Vocabulary = ReadVocabulary(json),
        Unknown = json.TextOr("unk_token", "[UNK]")!,
        ContinuingPrefix = json.TextOr("continuing_subword_prefix", "##")!,
        LongestWord = json.Number("max_input_chars_per_word", 100),
    };

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteString("type", "WordPiece");
        json.WriteString("unk_token", Unknown);
        json.WriteString("continuing_subword_prefix", ContinuingPrefix);
        json.WriteNumber("max_input_chars_per_word", LongestWord);
        WriteVocabulary(json);
    }

    /// <inheritdoc/>
    public override PieceEncoder Encoder() => new LongestFirst(this, Id(Unknown) ?? throw new InvalidDataException($"the vocabulary lacks the unknown token '{Unknown}'"));

    private sealed class LongestFirst(WordPieceModel model, int unknown) : PieceEncoder
    {
        private readonly int _longest = model.Vocabulary.Keys.Max(token => token.Length);

        protected override int[] Encode(ReadOnlySpan<char> piece)
        {
            if (piece.Length > model.LongestWord && Points(piece) > model.LongestWord)
            {
                return [unknown];
            }

            var vocabulary = model.Vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
            var ids = new List<int>();
            for (var begin = 0; begin < piece.Length;)
            {
                var rest = begin == 0 ? piece : string.Concat(model.ContinuingPrefix, piece[begin..]);
                var added = begin == 0 ? 0 : model.ContinuingPrefix.Length;
                var (found, length) = (-1, Math.Min(rest.Length, _longest));
                for (; length > added; length--)
                {
                    if (vocabulary.TryGetValue(rest[..length], out found))
                    {
                        break;
                    }
                }

                if (length <= added)
                {
                    return [unknown];
                }

                ids.Add(found);
                begin += length - added;
            }

            return [.. ids];
        }

        private static int Points(ReadOnlySpan<char> piece)
        {
            var count = 0;
            for (var i = 0; i < piece.Length; count++)
            {
                Characters.At(piece, i, out var length);
                i += length;
            }

            return count;
        }
    }
}
