using System.Text;
using System.Text.Json;

namespace Toolkit.Text;

/// <summary>A byte-pair vocabulary: of bytes, where the parts of a text are spelt in the byte alphabet, or of characters.</summary>
internal sealed record BytePairModel : JsonVocabularyModel
{
    /// <summary>The pairs that are joined, the earliest first.</summary>
    public required IReadOnlyList<(string Left, string Right)> Merges { get; init; }

    /// <summary>What stands for a character that the vocabulary lacks; null: nothing does.</summary>
    public string? Unknown { get; init; }

    /// <summary>Whether neighbouring unknown characters are one token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Whether a character that the vocabulary lacks is written as its bytes, <c>&lt;0xE2&gt;</c>.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether a piece that is a token as a whole is not merged.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>What is written before a character that does not begin a word.</summary>
    public string ContinuingPrefix { get; init; } = "";

    /// <summary>What is written after the character that ends a word.</summary>
    public string EndOfWordSuffix { get; init; } = "";

    /// <summary>Reads the <c>model</c> of a tokenizer.json.</summary>
    public static new BytePairModel Read(JsonFields json)
    {
        if (json.Field("dropout") is { } dropout && !(dropout.ValueKind == JsonValueKind.Number && dropout.GetDouble() == 0))
        {
            throw new NotSupportedException($"model.dropout is {dropout.GetRawText()}: a text would have other tokens every time; only none is supported");
        }

        return new()
        {
            Vocabulary = ReadVocabulary(json),
            Merges = [.. json.Items("merges").Select(Merge)],
            Unknown = json.TextOr("unk_token", null),
            FuseUnknown = json.Flag("fuse_unk", false),
            ByteFallback = json.Flag("byte_fallback", false),
            IgnoreMerges = json.Flag("ignore_merges", false),
            ContinuingPrefix = json.TextOr("continuing_subword_prefix", "")!,
            EndOfWordSuffix = json.TextOr("end_of_word_suffix", "")!,
        };
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", Unknown);
        json.WriteString("continuing_subword_prefix", ContinuingPrefix.Length == 0 ? null : ContinuingPrefix);
        json.WriteString("end_of_word_suffix", EndOfWordSuffix.Length == 0 ? null : EndOfWordSuffix);
        json.WriteBoolean("fuse_unk", FuseUnknown);
        json.WriteBoolean("byte_fallback", ByteFallback);
        json.WriteBoolean("ignore_merges", IgnoreMerges);
        WriteVocabulary(json);
        json.WriteStartArray("merges");
        foreach (var (left, right) in Merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    /// <inheritdoc/>
    public override PieceEncoder Encoder() => new BytePairEncoder(CharacterSymbols(), MergeTable(), IgnoreMerges ? piece => Id(piece) : null);

    /// <summary>The encoder of parts that are not spelt in the byte alphabet yet, which saves spelling them.</summary>
    public PieceEncoder EncoderOfBytes()
    {
        var unknown = Unknown is null ? null : Id(Unknown);
        var bytes = Enumerable.Range(0, 256).Select(value => Id(ByteAlphabet.Of((byte)value).ToString()) ?? unknown ?? -1).ToArray();
        var complete = !bytes.Contains(-1);
        return new BytePairEncoder(
            text =>
            {
                var utf8 = Wtf8.Encode(text);
                var symbols = new int[utf8.Length];
                for (var i = 0; i < symbols.Length; i++)
                {
                    symbols[i] = bytes[utf8[i]];
                }

                return complete ? symbols : [.. symbols.Where(symbol => symbol >= 0)];
            },
            MergeTable(),
            IgnoreMerges ? piece => Id(ByteAlphabet.Spell(Wtf8.Encode(piece))) : null);
    }

    /// <summary>Whether the vocabulary has every byte, so that nothing is ever unknown.</summary>
    public bool HasEveryByte => Enumerable.Range(0, 256).All(value => Vocabulary.ContainsKey(ByteAlphabet.Of((byte)value).ToString()));

    private static (string Left, string Right) Merge(JsonElement merge)
    {
        string[] parts = merge.ValueKind switch
        {
            JsonValueKind.Array => [.. merge.EnumerateArray().Take(3).Select(part => part.ValueKind == JsonValueKind.String ? JsonFields.String(part) : throw Problem())],
            JsonValueKind.String => JsonFields.String(merge).Split(' '),
            _ => throw Problem(),
        };
        return parts.Length == 2 ? (parts[0], parts[1]) : throw Problem();
        InvalidDataException Problem() => new($"the merge {merge.GetRawText()} is not of two tokens");
    }

    private Dictionary<long, (int Rank, int Id)> MergeTable()
    {
        var table = new Dictionary<long, (int Rank, int Id)>(Merges.Count);
        foreach (var (rank, (left, right)) in Merges.Index())
        {
            var rest = ContinuingPrefix.Length == 0 ? right
                : right.Length >= ContinuingPrefix.Length ? right[ContinuingPrefix.Length..] : throw new InvalidDataException($"the merge of '{left}' and '{right}' lacks the prefix '{ContinuingPrefix}'");
            table.TryAdd(BytePairEncoder.Key(Need(left), Need(right)), (rank, Need(left + rest)));
        }

        return table;
        int Need(string token) => Id(token) ?? throw new InvalidDataException($"the vocabulary lacks '{token}', which a merge names");
    }

    private Func<string, int[]> CharacterSymbols()
    {
        int? unknown = Unknown is null ? null : Id(Unknown) ?? throw new InvalidDataException($"the vocabulary lacks the unknown token '{Unknown}'");
        var bytes = ByteFallback ? Enumerable.Range(0, 256).Select(value => Id($"<0x{value:X2}>")).ToArray() : [];
        return text =>
        {
            var symbols = new List<int>(text.Length);
            var fusing = false;
            for (var i = 0; i < text.Length;)
            {
                Characters.At(text, i, out var length);
                var known = Symbol(text, i, length);
                if (known is { } id)
                {
                    symbols.Add(id);
                }
                else if (ByteFallback && Wtf8.Encode(text.AsSpan(i, length)).Select(value => bytes[value]).ToArray() is var spelt && Array.TrueForAll(spelt, part => part is not null))
                {
                    symbols.AddRange(spelt.Select(part => part!.Value));
                    known = 0;
                }
                else if (unknown is { } stand && !(FuseUnknown && fusing))
                {
                    symbols.Add(stand);
                }

                fusing = known is null;
                i += length;
            }

            return [.. symbols];
        };
    }

    private int? Symbol(string text, int index, int length)
    {
        if (ContinuingPrefix.Length == 0 && EndOfWordSuffix.Length == 0)
        {
            return Vocabulary.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text.AsSpan(index, length), out var id) ? id : null;
        }

        return Id($"{(index > 0 ? ContinuingPrefix : "")}{text.AsSpan(index, length)}{(index + length == text.Length ? EndOfWordSuffix : "")}");
    }
}
