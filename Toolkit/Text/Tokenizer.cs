using System.Text;
using System.Text.RegularExpressions;

namespace Toolkit.Text;

/// <summary>
/// A byte-level byte-pair tokenizer: text to token ids and back. Every .NET string survives the way there and back, emoji and invalid UTF-16
/// included (a loaded tokenizer may be made to put a space in front). Safe for use by several threads.
/// </summary>
public sealed class Tokenizer
{
    private readonly TokenizerFile _file;
    private readonly string? _configuration;
    private readonly byte[]?[] _bytes;
    private readonly string?[] _special;
    private readonly BytePairEncoder _encoder;
    private readonly LibraryEncoder? _library;
    private readonly Lazy<Regex> _specialPattern;

    private Tokenizer(TokenizerFile file, string? endOfText, string? configuration = null)
    {
        _file = file;
        _configuration = configuration;
        VocabularySize = file.Vocabulary.Values.Concat(file.Added.Values).Max() + 1;
        _bytes = new byte[VocabularySize][];
        _special = new string[VocabularySize];
        foreach (var (token, id) in file.Added)
        {
            _special[id] = token;
        }

        var spelt = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (token, id) in file.Vocabulary.Where(token => _special[token.Value] is null))
        {
            _bytes[id] = ByteAlphabet.Read(token) ?? throw new InvalidDataException($"the token '{token}' is not spelt in the byte alphabet");
            spelt[token] = id;
        }

        SpecialTokens = file.Added;
        EndOfTextId = file.Added.GetValueOrDefault(endOfText ?? BpeTrainer.EndOfText, -1);
        _encoder = Encoder(file, spelt);
        // The library always merges: where a whole piece may be a token of its own, it gives other ids.
        _library = file.IgnoreMerges ? null : new LibraryEncoder(file);
        _specialPattern = new(() => new Regex(string.Join('|', file.Added.Keys.OrderByDescending(token => token.Length).Select(Regex.Escape)), RegexOptions.CultureInvariant));
    }

    /// <summary>Token ids run from 0 to one less than this.</summary>
    public int VocabularySize { get; }

    /// <summary>The token that ends a text; -1 if there is none.</summary>
    public int EndOfTextId { get; }

    /// <summary>Tokens that no text spells, such as the end of text.</summary>
    public IReadOnlyDictionary<string, int> SpecialTokens { get; }

    /// <summary>Learns a tokenizer from documents; see <see cref="BpeTrainer"/>.</summary>
    /// <param name="documents">The text.</param>
    /// <param name="vocabularySize">Tokens wanted, at least 257.</param>
    /// <param name="progress">Told now and then how far it is.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary is too small.</exception>
    public static Tokenizer Train(IEnumerable<string> documents, int vocabularySize, Action<BpeTrainingProgress>? progress = null) =>
        BpeTrainer.Train(documents, vocabularySize, progress);

    /// <summary>Reads a <c>tokenizer.json</c>, or the one in a folder.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">The tokenizer is of another kind than byte-level byte-pair encoding.</exception>
    public static Tokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = Directory.Exists(path) ? Path.Combine(path, TokenizerFile.FileName) : path;
        if (!File.Exists(file))
        {
            throw new FileNotFoundException($"there is no tokenizer '{file}'", file);
        }

        try
        {
            var configuration = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, TokenizerFile.ConfigName);
            return new Tokenizer(TokenizerFile.Read(file), TokenizerFile.ReadEndOfText(configuration), File.Exists(configuration) ? File.ReadAllText(configuration) : null);
        }
        catch (InvalidDataException problem) when (!problem.Message.StartsWith(file, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{file} is not a tokenizer: {problem.Message}", problem);
        }
    }

    /// <summary>Writes <c>tokenizer.json</c> as Hugging Face reads it; into a folder also <c>tokenizer_config.json</c>. Files that were loaded are written as they were.</summary>
    /// <param name="path">A folder, which is made if need be, or a file named *.json.</param>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase) && !Directory.Exists(path))
        {
            File.WriteAllText(path, _file.Json);
            return;
        }

        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, TokenizerFile.FileName), _file.Json);
        File.WriteAllText(Path.Combine(path, TokenizerFile.ConfigName), _configuration ?? TokenizerFile.Configuration(EndOfTextId >= 0 ? _special[EndOfTextId] : null));
    }

    /// <summary>The tokens of a text. No begin or end token is added.</summary>
    /// <param name="text">Any string.</param>
    /// <param name="parseSpecialTokens">Whether the text of a special token becomes that token; by default it is text like any other.</param>
    public int[] Encode(string text, bool parseSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>((text.Length / 3) + 4);
        var rest = text.AsSpan();
        if (parseSpecialTokens && SpecialTokens.Count > 0)
        {
            var at = 0;
            foreach (var match in _specialPattern.Value.EnumerateMatches(text))
            {
                EncodeText(text.AsSpan(at, match.Index - at), ids);
                ids.Add(SpecialTokens[text.Substring(match.Index, match.Length)]);
                at = match.Index + match.Length;
            }

            rest = text.AsSpan(at);
        }

        EncodeText(rest, ids);
        return [.. ids];
    }

    /// <summary>The text of some tokens. Bytes that are no UTF-8 become U+FFFD.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var bytes = new List<byte>(ids.Length * 4);
        foreach (var id in ids)
        {
            bytes.AddRange(Spelling(id, skipSpecialTokens));
        }

        return Wtf8.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes));
    }

    /// <summary>The bytes that a token adds to a text: none for a special token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public ReadOnlyMemory<byte> TokenBytes(int id)
    {
        Require(id);
        return _bytes[id] ?? ReadOnlyMemory<byte>.Empty;
    }

    /// <summary>A token for people to read: bytes that are only a part of a character appear as &lt;0xE2&gt;.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public string TokenText(int id)
    {
        Require(id);
        if (_bytes[id] is not { } rest)
        {
            return _special[id] ?? "";
        }

        var text = new StringBuilder();
        for (var at = 0; at < rest.Length;)
        {
            var status = Rune.DecodeFromUtf8(rest.AsSpan(at), out var rune, out var used);
            _ = status == System.Buffers.OperationStatus.Done ? text.Append(rune) : text.Append(string.Concat(rest[at..(at + used)].Select(value => $"<0x{value:X2}>")));
            at += used;
        }

        return text.ToString();
    }

    /// <summary>One line: size and special tokens.</summary>
    public override string ToString() => $"Byte-level BPE tokenizer of {VocabularySize} tokens; special: {string.Join(", ", SpecialTokens.Keys.DefaultIfEmpty("none"))}";

    /// <summary>The tokenizer of a learned vocabulary, with the end of text after it.</summary>
    internal static Tokenizer OfMerges(IReadOnlyList<string> spellings, IReadOnlyList<(int Left, int Right)> merges)
    {
        var vocabulary = spellings.Index().ToDictionary(token => token.Item, token => token.Index, StringComparer.Ordinal);
        var pairs = merges.Select(merge => (spellings[merge.Left], spellings[merge.Right])).ToArray();
        return new Tokenizer(TokenizerFile.Of(vocabulary, pairs, new Dictionary<string, int> { [BpeTrainer.EndOfText] = spellings.Count }), BpeTrainer.EndOfText);
    }

    /// <summary>The bytes that a token writes, special tokens included.</summary>
    internal ReadOnlySpan<byte> Spelling(int id, bool skipSpecialTokens)
    {
        Require(id);
        return _bytes[id] ?? (skipSpecialTokens || _special[id] is not { } special ? [] : Encoding.UTF8.GetBytes(special));
    }

    /// <summary>Appends the tokens of a text with our own encoder, the twin of the library's.</summary>
    internal void EncodeDirectly(ReadOnlySpan<char> text, List<int> ids)
    {
        var pieces = new List<(int Offset, int Length)>(text.Length / 4);
        TextPieces.Split(text, _file.Split, pieces);
        foreach (var (offset, length) in pieces)
        {
            _encoder.Encode(text.Slice(offset, length), ids);
        }
    }

    private static BytePairEncoder Encoder(TokenizerFile file, Dictionary<string, int> spelt)
    {
        int Id(string token) => spelt.TryGetValue(token, out var id) ? id : throw new InvalidDataException($"the vocabulary lacks '{token}'");
        var bytes = Enumerable.Range(0, 256).Select(value => Id(ByteAlphabet.Spell([(byte)value]))).ToArray();
        var merges = new Dictionary<(int Left, int Right), (int Rank, int Id)>(file.Merges.Count);
        foreach (var (rank, (left, right)) in file.Merges.Index())
        {
            merges.TryAdd((Id(left), Id(right)), (rank, Id(left + right)));
        }

        return new BytePairEncoder(bytes, merges, file.IgnoreMerges ? piece => spelt.TryGetValue(ByteAlphabet.Spell(piece), out var id) ? id : null : null);
    }

    private static bool IsValid(ReadOnlySpan<char> text)
    {
        for (var at = text.IndexOfAnyInRange('\uD800', '\uDFFF'); at >= 0;)
        {
            if (Rune.DecodeFromUtf16(text[at..], out _, out _) != System.Buffers.OperationStatus.Done)
            {
                return false;
            }

            text = text[(at + 2)..];
            at = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        }

        return true;
    }

    private void EncodeText(ReadOnlySpan<char> text, List<int> ids)
    {
        if (text.Length == 0)
        {
            return;
        }

        if (_file.AddPrefixSpace && text[0] != ' ')
        {
            text = string.Concat(" ", text);
        }

        if (_library is not null && IsValid(text))
        {
            _library.Encode(text, ids);
        }
        else
        {
            // The library replaces a lone surrogate by U+FFFD, which would not come back.
            EncodeDirectly(text, ids);
        }
    }

    private void Require(int id)
    {
        if ((uint)id >= (uint)VocabularySize)
        {
            throw new ArgumentOutOfRangeException(nameof(id), $"token {id} is not in the vocabulary of {VocabularySize}");
        }
    }
}
