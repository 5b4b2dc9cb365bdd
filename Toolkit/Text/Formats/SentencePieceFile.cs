namespace Toolkit.Text;

/// <summary>
/// A SentencePiece model (Kudo and Richardson, 2018): the message <c>ModelProto</c> of sentencepiece_model.proto, as far as it decides about tokens.
/// </summary>
internal sealed record SentencePieceFile
{
    public const string FileName = "tokenizer.model";

    private const int Unigram = 1;
    private const int BytePair = 2;

    /// <summary>The pieces by id.</summary>
    public required IReadOnlyList<SentencePiece> Pieces { get; init; }

    /// <summary>Whether pieces are merged by their scores (byte-pair encoding); else the most probable spelling is taken (unigram).</summary>
    public bool IsBytePair { get; init; }

    public bool ByteFallback { get; init; }

    public bool SpaceIsSuffix { get; init; }

    public int UnknownId { get; init; }

    public int BeginId { get; init; } = 1;

    public int EndId { get; init; } = 2;

    public bool AddDummyPrefix { get; init; } = true;

    public bool RemoveExtraSpaces { get; init; } = true;

    public bool EscapeSpaces { get; init; } = true;

    public CharacterMap? CharacterMap { get; init; }

    /// <summary>Whether a piece that the user defined is found in the raw text, before any change, as llama.cpp does.</summary>
    public bool FindsUserDefinedFirst { get; init; }

    /// <summary>Reads a file; one that is a list of ranks is tiktoken's, as Llama 3's <c>tokenizer.model</c> is.</summary>
    /// <param name="content">The file.</param>
    /// <param name="addBegin">Whether a beginning is put in front; null: where the model has one.</param>
    /// <param name="addEnd">Whether an end is put after; null: where the model has no beginning, as T5's.</param>
    public static TokenizerDefinition Read(byte[] content, bool? addBegin, bool? addEnd)
    {
        if (TiktokenFile.LooksLike(content))
        {
            return TiktokenFile.Read("llama3", content);
        }

        var file = Parse(content);
        var hasBegin = file.IsControl(file.BeginId);
        return file.Define(addBegin ?? hasBegin, addEnd ?? !hasBegin, () => content);
    }

    /// <summary>The tokenizer.</summary>
    /// <exception cref="InvalidDataException">Two pieces are spelt alike, or there are none.</exception>
    public TokenizerDefinition Define(bool addBegin, bool addEnd, Func<byte[]>? content = null)
    {
        var vocabulary = new Dictionary<string, int>(Pieces.Count, StringComparer.Ordinal);
        foreach (var (id, piece) in Pieces.Index())
        {
            if (!vocabulary.TryAdd(piece.Text, id))
            {
                throw new InvalidDataException($"the piece '{piece.Text}' has the ids {vocabulary[piece.Text]} and {id}");
            }

            if (!float.IsFinite(piece.Score))
            {
                throw new InvalidDataException($"the score of the piece '{piece.Text}' is {piece.Score}");
            }
        }

        if (UnknownId < 0 || UnknownId >= Pieces.Count)
        {
            throw new InvalidDataException($"the unknown piece is {UnknownId}, but there are {Pieces.Count} pieces");
        }

        var userDefined = FindsUserDefinedFirst ? [] : Pieces.Where(piece => piece.Type == SentencePieceType.UserDefined).Select(piece => piece.Text).ToArray();
        const string strip = """,{"type":"Strip","content":" ","start":START,"stop":STOP}""";
        var decoder = """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}"""
            + (AddDummyPrefix ? strip.Replace("START", SpaceIsSuffix ? "0" : "1", StringComparison.Ordinal).Replace("STOP", SpaceIsSuffix ? "1" : "0", StringComparison.Ordinal) : "") + "]}";
        using var json = System.Text.Json.JsonDocument.Parse(decoder);
        return new()
        {
            Model = IsBytePair ? new ScoredPieceModel { Vocabulary = vocabulary, File = this, UserDefined = userDefined } : UnigramOf(vocabulary),
            Added = [.. Pieces.Index().Where(piece => IsAdded(piece.Item.Type)).Select(piece => new AddedToken(piece.Index, piece.Item.Text, piece.Item.Type != SentencePieceType.UserDefined))],
            Normalizer = new SentencePieceNormalizer(this, userDefined),
            PostProcessor = PostProcessor.Around(addBegin && IsPiece(BeginId) ? BeginId : null, addEnd && IsPiece(EndId) ? EndId : null),
            Decoder = TokenDecoder.Read(new JsonFields(json.RootElement.Clone(), "decoder")),
            BeginOfText = IsPiece(BeginId) ? BeginId : null,
            EndOfText = IsPiece(EndId) ? EndId : null,
            FileName = FileName,
            Content = content ?? Write,
        };
    }

    private bool IsPiece(int id) => id >= 0 && id < Pieces.Count;

    private bool IsControl(int id) => IsPiece(id) && Pieces[id].Type == SentencePieceType.Control;

    private bool IsAdded(SentencePieceType type) =>
        type is SentencePieceType.Control or SentencePieceType.Unknown || (type == SentencePieceType.UserDefined && FindsUserDefinedFirst);

    private UnigramModel UnigramOf(Dictionary<string, int> vocabulary)
    {
        var largest = Pieces.Where(piece => piece.Type == SentencePieceType.Normal).Select(piece => (double)piece.Score).DefaultIfEmpty(0).Max();
        var hidden = Pieces.Index().Where(piece => piece.Item.Type is not (SentencePieceType.Normal or SentencePieceType.UserDefined)).Select(piece => piece.Index).ToHashSet();
        return new()
        {
            Vocabulary = vocabulary,
            // What the user defined beats every way to spell it otherwise.
            Pieces = [.. Pieces.Select(piece => (piece.Text, piece.Type != SentencePieceType.UserDefined ? piece.Score
                : FindsUserDefinedFirst ? 0.0 : (System.Text.Encoding.UTF8.GetByteCount(piece.Text) * largest) - 0.1))],
            Unknown = UnknownId,
            ByteFallback = ByteFallback,
            Hidden = hidden,
        };
    }

    private static SentencePieceFile Parse(byte[] content)
    {
        var pieces = new List<SentencePiece>();
        var file = new SentencePieceFile { Pieces = pieces };
        var model = new ProtobufReader(content);
        while (model.Next())
        {
            switch (model.Field)
            {
                case 1:
                    pieces.Add(SentencePiece.Parse(model.Bytes, pieces.Count));
                    break;
                case 2:
                    file = file.WithTraining(model.Bytes);
                    break;
                case 3:
                    file = file.WithNormalizer(model.Bytes);
                    break;
            }
        }

        return pieces.Count > 0 ? file : throw new InvalidDataException("it has no pieces: this is no SentencePiece model");
    }

    private SentencePieceFile WithTraining(ReadOnlySpan<byte> message)
    {
        var file = this;
        var fields = new ProtobufReader(message);
        while (fields.Next())
        {
            file = fields.Field switch
            {
                3 => fields.Number is Unigram or BytePair ? file with { IsBytePair = fields.Number == BytePair }
                    : throw new NotSupportedException($"a SentencePiece model of type {fields.Number} (3 words, 4 characters); only unigram and BPE are supported"),
                24 => file with { SpaceIsSuffix = fields.Flag },
                35 => file with { ByteFallback = fields.Flag },
                40 => file with { UnknownId = fields.Number },
                41 => file with { BeginId = fields.Number },
                42 => file with { EndId = fields.Number },
                _ => file,
            };
        }

        return file;
    }

    private SentencePieceFile WithNormalizer(ReadOnlySpan<byte> message)
    {
        var file = this;
        var fields = new ProtobufReader(message);
        while (fields.Next())
        {
            file = fields.Field switch
            {
                2 => file with { CharacterMap = fields.Bytes.IsEmpty ? null : new CharacterMap(fields.Bytes.ToArray()) },
                3 => file with { AddDummyPrefix = fields.Flag },
                4 => file with { RemoveExtraSpaces = fields.Flag },
                5 => file with { EscapeSpaces = fields.Flag },
                _ => file,
            };
        }

        return file;
    }

    /// <summary>The file.</summary>
    private byte[] Write()
    {
        var training = new ProtobufWriter();
        training.Number(3, IsBytePair ? BytePair : Unigram);
        training.Flag(24, SpaceIsSuffix);
        training.Flag(35, ByteFallback);
        training.Number(40, UnknownId);
        training.Number(41, BeginId);
        training.Number(42, EndId);
        var normalizer = new ProtobufWriter();
        if (CharacterMap is not null)
        {
            normalizer.Bytes(2, CharacterMap.Data);
        }

        normalizer.Flag(3, AddDummyPrefix);
        normalizer.Flag(4, RemoveExtraSpaces);
        normalizer.Flag(5, EscapeSpaces);
        var model = new ProtobufWriter();
        foreach (var piece in Pieces)
        {
            model.Bytes(1, piece.Write());
        }

        model.Bytes(2, training.Content);
        model.Bytes(3, normalizer.Content);
        return model.Content;
    }
}
