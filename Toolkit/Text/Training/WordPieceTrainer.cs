namespace Toolkit.Text;

/// <summary>
/// Learns a WordPiece vocabulary as BERT uses it (Schuster and Nakajima, 2012; Devlin et al., 2018): words are cut at white space and punctuation, and again
/// and again the most frequent pair of neighbouring parts becomes one part, as Hugging Face's trainer does.
/// </summary>
public static class WordPieceTrainer
{
    /// <summary>The special tokens, from id 0 on: padding, unknown, begin (class), separator (end), mask.</summary>
    public static IReadOnlyList<string> SpecialTokens { get; } = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

    private const string Prefix = "##";
    private const int ProgressEvery = 64;

    /// <summary>Trains a tokenizer; <see cref="Tokenizer.Save"/> writes it as a tokenizer.json.</summary>
    /// <param name="documents">The text.</param>
    /// <param name="vocabularySize">Tokens wanted; a text with fewer different parts gives fewer.</param>
    /// <param name="lowercase">Whether case and accents are removed first (BERT "uncased").</param>
    /// <param name="progress">Told now and then how far it is.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary has no room for the special tokens.</exception>
    public static Tokenizer Train(IEnumerable<string> documents, int vocabularySize, bool lowercase = true, Action<BpeTrainingProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(documents);
        if (vocabularySize <= SpecialTokens.Count)
        {
            throw new ArgumentOutOfRangeException(nameof(vocabularySize), $"a vocabulary of {vocabularySize} is too small: {SpecialTokens.Count} tokens are special");
        }

        var normalizer = new BertNormalizer(clean: true, chinese: true, accents: lowercase, lower: lowercase);
        var steps = new PreTokenizer[] { new CharacterPreTokenizer(point => Characters.IsWhiteSpace(point) ? null : Characters.IsPunctuation(point) ? CharacterPreTokenizer.Alone : 'w') };
        var words = WordCounts.Of(documents, WordCounts.By(normalizer, steps)).Select(word => (Symbols: Spell(word.Word), word.Count)).ToList();
        var room = vocabularySize - SpecialTokens.Count;
        // Rare characters must not crowd out the words: what is left out is unknown.
        var alphabet = words.SelectMany(word => word.Symbols.Select(symbol => (symbol, word.Count))).GroupBy(pair => pair.symbol, pair => pair.Count, StringComparer.Ordinal)
            .OrderByDescending(symbol => symbol.Sum()).ThenBy(symbol => symbol.Key, StringComparer.Ordinal).Take(room).Select(symbol => symbol.Key).Order(StringComparer.Ordinal).ToList();
        var index = alphabet.Index().ToDictionary(symbol => symbol.Item, symbol => symbol.Index, StringComparer.Ordinal);
        var known = words.Where(word => word.Symbols.TrueForAll(index.ContainsKey)).Select(word => (word.Symbols.ConvertAll(symbol => index[symbol]), word.Count)).ToList();

        var learner = new MergeLearner(alphabet, known, (left, right) => left + right[Prefix.Length..]);
        var wanted = room - alphabet.Count;
        progress?.Invoke(new(0, wanted));
        learner.Learn(wanted, count =>
        {
            if (count % ProgressEvery == 0)
            {
                progress?.Invoke(new(count, wanted));
            }
        });
        var made = learner.Spellings.Count - learner.Alphabet;
        progress?.Invoke(new(made, made));
        return Tokenizer.Of(Define(learner.Spellings, lowercase));
    }

    /// <summary>The characters of a word, all but the first with the mark of a part that does not begin it.</summary>
    private static List<string> Spell(string word)
    {
        var symbols = new List<string>(word.Length);
        for (var i = 0; i < word.Length;)
        {
            Characters.At(word, i, out var length);
            symbols.Add(i == 0 ? word[..length] : Prefix + word.Substring(i, length));
            i += length;
        }

        return symbols;
    }

    private static TokenizerDefinition Define(List<string> spellings, bool lowercase)
    {
        var vocabulary = SpecialTokens.Concat(spellings).Index().ToDictionary(token => token.Item, token => token.Index, StringComparer.Ordinal);
        var model = new WordPieceModel { Vocabulary = vocabulary };
        var flag = lowercase ? "true" : "false";
        var definition = TokenizerJson.Define(model, [.. SpecialTokens.Select((token, id) => new AddedToken(id, token))], new Dictionary<string, string?>
        {
            ["normalizer"] = $$"""{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":{{flag}},"lowercase":{{flag}}}""",
            ["pre_tokenizer"] = """{"type":"BertPreTokenizer"}""",
            ["post_processor"] = $$"""{"type":"BertProcessing","sep":["[SEP]",{{vocabulary["[SEP]"]}}],"cls":["[CLS]",{{vocabulary["[CLS]"]}}]}""",
            ["decoder"] = """{"type":"WordPiece","prefix":"##","cleanup":true}""",
        });
        return definition with { EndOfText = vocabulary["[SEP]"] };
    }
}
