using System.Text;

namespace Toolkit.Text;

/// <summary>
/// Text to token ids and back, of whatever kind: byte-level byte-pair encoding, byte-pair encoding of characters, WordPiece, Unigram. What a byte-level
/// tokenizer of its own training encodes, it gives back: every .NET string, emoji and invalid UTF-16 included. Safe for use by several threads.
/// </summary>
/// <remarks>
/// Microsoft.ML.Tokenizers encodes where it is right: byte-level vocabularies that have every byte, are always merged and put no space in front. Everything
/// else is ours, checked against Hugging Face's tokenizers and llama.cpp. Truncation and padding that a tokenizer.json asks for are the caller's business.
/// </remarks>
public sealed class Tokenizer
{
    private readonly TokenizerDefinition _definition;
    private readonly TokenizerConfiguration? _configuration;
    private readonly TextPipeline _pipeline;
    private readonly string?[] _spellings;
    private readonly byte[]?[]? _bytes;
    private readonly Dictionary<int, AddedToken> _added;
    private ChatTemplate? _template;

    private Tokenizer(TokenizerDefinition definition, TokenizerConfiguration? configuration = null)
    {
        _definition = definition;
        _configuration = configuration;
        _pipeline = new TextPipeline(definition);
        VocabularySize = definition.Model.Vocabulary.Values.Concat(definition.Added.Select(token => token.Id)).Max() + 1;
        _spellings = new string[VocabularySize];
        foreach (var (token, id) in definition.Model.Vocabulary)
        {
            _spellings[id] = token;
        }

        _added = [];
        foreach (var token in definition.Added)
        {
            _added[token.Id] = token;
            _spellings[token.Id] = token.Content;
        }

        // With that decoder alone every token has its own bytes, wherever it stands.
        _bytes = definition.Decoder is ByteLevelDecoder ? new byte[VocabularySize][] : null;
        SpecialTokens = definition.Added.Where(token => token.Special).DistinctBy(token => token.Content).ToDictionary(token => token.Content, token => token.Id, StringComparer.Ordinal);
        BeginOfTextId = definition.BeginOfText ?? Named(configuration?.BeginOfText) ?? -1;
        EndOfTextId = definition.EndOfText ?? Named(configuration?.EndOfText ?? (configuration is null ? BpeTrainer.EndOfText : null)) ?? Named(BpeTrainer.EndOfText) ?? -1;
        ChatTemplate = configuration?.ChatTemplate ?? definition.ChatTemplate;
    }

    /// <summary>Token ids run from 0 to one less than this.</summary>
    public int VocabularySize { get; }

    /// <summary>The token that begins a text; -1 if the files beside the tokenizer name none.</summary>
    public int BeginOfTextId { get; }

    /// <summary>The token that ends a text; -1 if there is none.</summary>
    public int EndOfTextId { get; }

    /// <summary>Tokens that steer the model, such as the end of text, and no text spells.</summary>
    public IReadOnlyDictionary<string, int> SpecialTokens { get; }

    /// <summary>All tokens that are found in the text itself: the special ones, and words that were added to the vocabulary.</summary>
    public IReadOnlyList<AddedToken> AddedTokens => _definition.Added;

    /// <summary>The source of the chat template that came with the tokenizer, for <see cref="ApplyChatTemplate"/>; null if none did.</summary>
    public string? ChatTemplate { get; }

    /// <summary>What its <c>tokenizer.json</c> holds; null where it is kept in another format.</summary>
    internal byte[]? Json => _definition.FileName == TokenizerJson.FileName ? _definition.Content() : null;

    /// <summary>Learns a byte-level byte-pair tokenizer from documents; see <see cref="BpeTrainer"/>, and beside it <see cref="WordPieceTrainer"/> and <see cref="UnigramTrainer"/>.</summary>
    /// <param name="documents">The text.</param>
    /// <param name="vocabularySize">Tokens wanted, at least 257.</param>
    /// <param name="progress">Told now and then how far it is.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary is too small.</exception>
    public static Tokenizer Train(IEnumerable<string> documents, int vocabularySize, Action<BpeTrainingProgress>? progress = null) =>
        BpeTrainer.Train(documents, vocabularySize, progress);

    /// <summary>
    /// Reads a tokenizer: a <c>tokenizer.json</c>, a SentencePiece <c>tokenizer.model</c>, tiktoken ranks (<c>*.tiktoken</c>), or of a folder the first of these
    /// that it has. The <c>tokenizer_config.json</c> and <c>chat_template.jinja</c> beside it name begin, end and chat template.
    /// </summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">A part of the tokenizer is of a kind that is not supported; the message names it.</exception>
    public static Tokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = Directory.Exists(path) ? TokenizerFiles.Find(path) : path;
        if (!File.Exists(file))
        {
            throw new FileNotFoundException($"there is no tokenizer '{file}'", file);
        }

        var configuration = TokenizerConfiguration.Read(Path.GetDirectoryName(Path.GetFullPath(file))!);
        return Named(file, () => new Tokenizer(TokenizerFiles.Read(Path.GetFileName(file), File.ReadAllBytes(file), configuration), configuration));
    }

    /// <summary>Reads a tokenizer from the bytes of a <c>tokenizer.json</c>, a SentencePiece model or tiktoken ranks.</summary>
    /// <param name="name">The name of the file, whose ending tells the format.</param>
    /// <param name="content">The file.</param>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">A part of the tokenizer is of a kind that is not supported.</exception>
    public static Tokenizer Parse(string name, byte[] content)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(content);
        return Named(name, () => new Tokenizer(TokenizerFiles.Read(name, content, null)));
    }

    /// <summary>The tokenizer inside of a GGUF file.</summary>
    /// <exception cref="InvalidDataException">The vocabulary does not fit together.</exception>
    /// <exception cref="NotSupportedException">It is of a kind that is not supported.</exception>
    public static Tokenizer FromGguf(GgufVocabulary vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        return Named("the GGUF vocabulary", () => new Tokenizer(GgufTokenizer.Define(vocabulary)));
    }

    /// <summary>A tokenizer of tiktoken ranks that have no name of their own, such as those of a model's maker.</summary>
    /// <param name="ranks">The file: a line a token, its bytes in base 64 and its rank.</param>
    /// <param name="pattern">The expression of a piece that is encoded by itself.</param>
    /// <param name="specialTokens">The text and id of each special token.</param>
    /// <exception cref="InvalidDataException">The ranks are malformed.</exception>
    /// <exception cref="NotSupportedException">The expression cannot be used.</exception>
    public static Tokenizer FromTiktoken(byte[] ranks, string pattern, IReadOnlyDictionary<string, int> specialTokens)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        ArgumentException.ThrowIfNullOrEmpty(pattern);
        ArgumentNullException.ThrowIfNull(specialTokens);
        return Named("the list of ranks", () => new Tokenizer(TiktokenFile.Define(ranks, pattern, specialTokens)));
    }

    /// <summary>
    /// Writes the tokenizer as Hugging Face reads it: <c>tokenizer.json</c> (or the SentencePiece model it was read from); into a folder also
    /// <c>tokenizer_config.json</c>. Files that were loaded are written as they were.
    /// </summary>
    /// <param name="path">A folder, which is made if need be, or a file.</param>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (path.EndsWith(Path.GetExtension(_definition.FileName), StringComparison.OrdinalIgnoreCase) && !Directory.Exists(path))
        {
            File.WriteAllBytes(path, _definition.Content());
            return;
        }

        Directory.CreateDirectory(path);
        File.WriteAllBytes(Path.Combine(path, _definition.FileName), _definition.Content());
        var unknown = _definition.Model is WordPieceModel words ? words.Unknown : null;
        File.WriteAllText(
            Path.Combine(path, TokenizerConfiguration.FileName),
            _configuration?.Content ?? TokenizerConfiguration.Of(EndOfTextId >= 0 ? _spellings[EndOfTextId] : null, unknown));
    }

    /// <summary>The tokens of a text.</summary>
    /// <param name="text">Any string.</param>
    /// <param name="parseSpecialTokens">Whether the text of a special token becomes that token; by default it is text like any other. Added tokens that are not special are always found.</param>
    /// <param name="addSpecialTokens">Whether the tokens are added that the model wants around a text, such as a beginning; by default none.</param>
    public int[] Encode(string text, bool parseSpecialTokens = false, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>((text.Length / 3) + 4);
        if (!addSpecialTokens)
        {
            _pipeline.Encode(text, parseSpecialTokens, ids);
            return [.. ids];
        }

        foreach (var part in _definition.PostProcessor.Single)
        {
            Append(part, text, parseSpecialTokens, ids);
        }

        return [.. ids];
    }

    /// <summary>The tokens of two texts as a model wants them together, such as a question and a passage, and the type of each token (0 the first text, 1 the second).</summary>
    /// <param name="first">The first text.</param>
    /// <param name="second">The second text.</param>
    /// <param name="parseSpecialTokens">Whether the text of a special token becomes that token.</param>
    public (int[] Ids, int[] TypeIds) EncodePair(string first, string second, bool parseSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        var (ids, types) = (new List<int>(), new List<int>());
        foreach (var part in _definition.PostProcessor.Pair)
        {
            Append(part, part.Sequence == 1 ? second : first, parseSpecialTokens, ids);
            types.AddRange(Enumerable.Repeat(part.TypeId, ids.Count - types.Count));
        }

        return ([.. ids], [.. types]);
    }

    /// <summary>Writes a conversation as the model wants it, by the chat template that came with the tokenizer. <see cref="Encode"/> it with <c>parseSpecialTokens</c> and without adding special tokens.</summary>
    /// <param name="messages">What was said so far.</param>
    /// <param name="addGenerationPrompt">Whether the beginning of the assistant's answer follows.</param>
    /// <param name="variables">Further variables of the template, such as <c>tools</c>.</param>
    /// <param name="time">The clock of templates that write the date; null: the system's.</param>
    /// <exception cref="InvalidOperationException">No template came with the tokenizer.</exception>
    /// <exception cref="TemplateException">The template is malformed or refuses the conversation.</exception>
    public string ApplyChatTemplate(
        IEnumerable<ChatMessage> messages, bool addGenerationPrompt = true, IReadOnlyDictionary<string, object?>? variables = null, TimeProvider? time = null)
    {
        var template = _template ??= Text.ChatTemplate.Parse(ChatTemplate ?? throw new InvalidOperationException("no chat template came with this tokenizer"));
        var all = new Dictionary<string, object?>((_configuration?.SpecialTokens ?? new Dictionary<string, string>()).Select(token => KeyValuePair.Create(token.Key, (object?)token.Value)));
        all.TryAdd("bos_token", BeginOfTextId >= 0 ? _spellings[BeginOfTextId] : "");
        all.TryAdd("eos_token", EndOfTextId >= 0 ? _spellings[EndOfTextId] : "");
        foreach (var (name, value) in variables ?? new Dictionary<string, object?>())
        {
            all[name] = value;
        }

        return template.Render(messages, addGenerationPrompt, all, time);
    }

    /// <summary>The text of some tokens. Bytes that are no UTF-8 become U+FFFD.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        if (_bytes is null)
        {
            var tokens = new List<string>(ids.Length);
            foreach (var id in ids)
            {
                Require(id);
                if (!(skipSpecialTokens && IsSpecial(id)) && _spellings[id] is { } token)
                {
                    tokens.Add(token);
                }
            }

            return _definition.Decoder is { } decoder ? string.Concat(decoder.Decode(tokens)) : string.Join(' ', tokens);
        }

        var bytes = new List<byte>(ids.Length * 4);
        foreach (var id in ids)
        {
            bytes.AddRange(Spelling(id, skipSpecialTokens));
        }

        return Wtf8.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes));
    }

    /// <summary>The bytes that a token adds to a text, not at its beginning: none for a special token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public ReadOnlyMemory<byte> TokenBytes(int id)
    {
        Require(id);
        return IsSpecial(id) ? ReadOnlyMemory<byte>.Empty : OwnBytes(id);
    }

    /// <summary>A token for people to read: bytes that are only a part of a character appear as &lt;0xE2&gt;.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public string TokenText(int id)
    {
        Require(id);
        if (_added.TryGetValue(id, out var added))
        {
            return added.Content;
        }

        var text = new StringBuilder();
        var rest = OwnBytes(id);
        for (var at = 0; at < rest.Length;)
        {
            var status = Rune.DecodeFromUtf8(rest.AsSpan(at), out var rune, out var used);
            _ = status == System.Buffers.OperationStatus.Done ? text.Append(rune) : text.Append(string.Concat(rest[at..(at + used)].Select(value => $"<0x{value:X2}>")));
            at += used;
        }

        return text.ToString();
    }

    /// <summary>The id of a token by its spelling in the vocabulary or as an added token; null if there is none.</summary>
    public int? TokenId(string token) => Named(token);

    /// <summary>One line: size and special tokens.</summary>
    public override string ToString() => $"{Kind} tokenizer of {VocabularySize} tokens; special: {string.Join(", ", SpecialTokens.Keys.DefaultIfEmpty("none"))}";

    /// <summary>The tokenizer of a definition.</summary>
    internal static Tokenizer Of(TokenizerDefinition definition) => new(definition);

    /// <summary>Whether every token has its own bytes, wherever it stands in a text.</summary>
    internal bool IsByteLevel => _bytes is not null;

    /// <summary>The bytes that a token of a byte-level tokenizer writes, special tokens included.</summary>
    internal ReadOnlySpan<byte> Spelling(int id, bool skipSpecialTokens)
    {
        Require(id);
        return skipSpecialTokens && IsSpecial(id) ? [] : OwnBytes(id);
    }

    /// <summary>Appends the tokens of a text with our own encoder, the twin of the library's.</summary>
    internal void EncodeDirectly(string text, List<int> ids) => _pipeline.Encode(text, special: false, ids, directly: true);

    private string Kind => _definition.Model switch
    {
        BytePairModel => IsByteLevel ? "Byte-level BPE" : "BPE",
        var model => model.GetType().Name.Replace("Model", "", StringComparison.Ordinal),
    };

    private static Tokenizer Named(string file, Func<Tokenizer> read)
    {
        try
        {
            return read();
        }
        catch (NotSupportedException problem)
        {
            throw new NotSupportedException($"{file}: {problem.Message}", problem);
        }
        catch (Exception problem) when (problem is InvalidDataException or EndOfStreamException)
        {
            throw new InvalidDataException($"{file} is not a tokenizer: {problem.Message}", problem);
        }
    }

    private void Append(PostProcessor.Part part, string text, bool parseSpecialTokens, List<int> ids)
    {
        if (part.Ids is { } around)
        {
            ids.AddRange(around);
        }
        else
        {
            _pipeline.Encode(text, parseSpecialTokens, ids);
        }
    }

    private bool IsSpecial(int id) => _added.TryGetValue(id, out var token) && token.Special;

    private int? Named(string? token) => token is null ? null
        : _definition.Added.FirstOrDefault(added => added.Content == token)?.Id ?? _definition.Model.Id(token);

    private byte[] OwnBytes(int id)
    {
        if (_bytes is not null)
        {
            return _bytes[id] ??= _spellings[id] is not { } token ? [] : _added.ContainsKey(id) ? Wtf8.Encode(token) : ByteLevelDecoder.Bytes(token);
        }

        if (_spellings[id] is not { } spelling)
        {
            return [];
        }

        if (ByteFallbackDecoder.Byte(spelling) is { } value)
        {
            return [value];
        }

        // What the token adds after another: some decoders take the space from the first.
        const string before = "a";
        var text = _definition.Decoder is { } decoder ? string.Concat(decoder.Decode([before, spelling])) : $"{before} {spelling}";
        return Wtf8.Encode(text.StartsWith(before, StringComparison.Ordinal) ? text.AsSpan(before.Length) : text);
    }

    private void Require(int id)
    {
        if ((uint)id >= (uint)VocabularySize)
        {
            throw new ArgumentOutOfRangeException(nameof(id), $"token {id} is not in the vocabulary of {VocabularySize}");
        }
    }
}
