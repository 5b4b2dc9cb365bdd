namespace Toolkit.Text;

/// <summary>How far the training of a tokenizer is.</summary>
/// <param name="Merges">Merges learned so far.</param>
/// <param name="TotalMerges">Merges wanted; in the last report those that the text had.</param>
public sealed record BpeTrainingProgress(int Merges, int TotalMerges);

/// <summary>
/// Learns a byte-level byte-pair vocabulary (Sennrich et al., 2016; bytes: Radford et al., 2019): again and again the most frequent pair of
/// neighbours becomes one token. The same text gives the same vocabulary, whatever the number of threads.
/// </summary>
public static class BpeTrainer
{
    /// <summary>The text of the special token that ends a document.</summary>
    public const string EndOfText = "<|endoftext|>";

    /// <summary>Tokens that every vocabulary has: the bytes and the end of text.</summary>
    public const int SmallestVocabulary = 257;

    private const int ProgressEvery = 64;

    /// <summary>Trains a tokenizer.</summary>
    /// <param name="documents">The text.</param>
    /// <param name="vocabularySize">Tokens wanted, at least <see cref="SmallestVocabulary"/>. A text with fewer different pairs gives fewer.</param>
    /// <param name="progress">Told now and then how far it is.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary is too small.</exception>
    public static Tokenizer Train(IEnumerable<string> documents, int vocabularySize, Action<BpeTrainingProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(documents);
        if (vocabularySize < SmallestVocabulary)
        {
            throw new ArgumentOutOfRangeException(
                nameof(vocabularySize), $"a vocabulary of {vocabularySize} is too small: {SmallestVocabulary} tokens are the 256 bytes and {EndOfText}");
        }

        var wanted = vocabularySize - SmallestVocabulary;
        progress?.Invoke(new(0, wanted));
        var words = WordCounts.Of(documents, WordSplitter.Split).Select(word => (Wtf8.Encode(word.Word).Select(value => (int)value).ToList(), word.Count)).ToList();
        var learner = new MergeLearner(Enumerable.Range(0, 256).Select(value => ByteAlphabet.Spell([(byte)value])), words, string.Concat);
        learner.Learn(wanted, count =>
        {
            if (count % ProgressEvery == 0)
            {
                progress?.Invoke(new(count, wanted));
            }
        });
        var made = learner.Spellings.Count - learner.Alphabet;
        progress?.Invoke(new(made, made));
        return Tokenizer.Of(Define(learner));
    }

    /// <summary>The tokenizer of a learned vocabulary, with the end of text after it.</summary>
    private static TokenizerDefinition Define(MergeLearner learner)
    {
        var spellings = learner.Spellings;
        var model = new BytePairModel
        {
            Vocabulary = spellings.Index().ToDictionary(token => token.Item, token => token.Index, StringComparer.Ordinal),
            Merges = [.. learner.Merges.Select(merge => (spellings[merge.Left], spellings[merge.Right]))],
        };
        const string bytes = """{"type":"ByteLevel","add_prefix_space":PREFIX,"trim_offsets":true,"use_regex":true}""";
        var decoder = bytes.Replace("PREFIX", "true", StringComparison.Ordinal);
        return TokenizerJson.Define(model, [new AddedToken(spellings.Count, EndOfText)], new Dictionary<string, string?>
        {
            ["pre_tokenizer"] = bytes.Replace("PREFIX", "false", StringComparison.Ordinal),
            ["post_processor"] = decoder,
            ["decoder"] = decoder,
        });
    }
}
