namespace Toolkit.Text;

/// <summary>How far the training of a Unigram vocabulary is.</summary>
/// <param name="Pieces">Pieces that are left.</param>
/// <param name="TotalPieces">Pieces wanted.</param>
/// <param name="LogLikelihood">Mean natural log-likelihood of a word under the pieces.</param>
public sealed record UnigramTrainingProgress(int Pieces, int TotalPieces, double LogLikelihood);

/// <summary>
/// Learns a Unigram vocabulary (Kudo, 2018, Subword Regularization): begins with all frequent parts of words, fits their probabilities by
/// expectation-maximization, and drops those whose loss costs the likelihood least, until so many are left. The same text gives the same vocabulary.
/// </summary>
public static class UnigramTrainer
{
    private const string Unknown = "<unk>";
    private const int Special = 3;
    private const int LongestPiece = 16;
    private const int SeedsPerPiece = 40;
    private const int StepsBetweenPrunings = 2;
    private const double Kept = 0.75;

    /// <summary>Trains a tokenizer; <see cref="Tokenizer.Save"/> writes it as a tokenizer.json.</summary>
    /// <param name="documents">The text.</param>
    /// <param name="vocabularySize">Tokens wanted, among them &lt;unk&gt;, &lt;s&gt; and &lt;/s&gt;; all characters of the text are kept, so it may become more, and fewer if the text has no more.</param>
    /// <param name="progress">Told after every pruning how far it is.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary has no room for the special tokens.</exception>
    public static Tokenizer Train(IEnumerable<string> documents, int vocabularySize, Action<UnigramTrainingProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(documents);
        if (vocabularySize <= Special)
        {
            throw new ArgumentOutOfRangeException(nameof(vocabularySize), $"a vocabulary of {vocabularySize} is too small: {Special} tokens are special");
        }

        var normalizer = Normalizer.Read(Json("""{"type":"NFKC"}"""))!;
        var words = WordCounts.Of(documents, WordCounts.By(normalizer, [new MetaspacePreTokenizer('▁', PrependScheme.Always, split: true)]));
        var wanted = vocabularySize - Special;
        var lattice = new UnigramLattice(Seeds(words, wanted));
        var goal = (int)(wanted * 1.1);
        while (true)
        {
            var likelihood = 0.0;
            for (var step = 0; step < StepsBetweenPrunings; step++)
            {
                likelihood = lattice.Fit(words, wanted);
            }

            progress?.Invoke(new(lattice.Count, wanted, likelihood));
            if (lattice.Count <= goal || !lattice.Prune(words, Math.Max(goal, (int)(lattice.Count * Kept))))
            {
                break;
            }
        }

        var pieces = lattice.Best(wanted);
        progress?.Invoke(new(pieces.Count, pieces.Count, lattice.Fit(words, wanted)));
        return Tokenizer.Of(Define(pieces));
    }

    /// <summary>All characters, and the parts of words that would save most: those with the largest count times length.</summary>
    private static List<(string Piece, double Score)> Seeds(List<(string Word, long Count)> words, int wanted)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var (word, count) in words)
        {
            Interruption.ThrowIfRequested();
            for (var begin = 0; begin < word.Length; begin++)
            {
                if (char.IsLowSurrogate(word[begin]))
                {
                    continue;
                }

                for (var end = begin + 1; end <= Math.Min(word.Length, begin + LongestPiece); end++)
                {
                    if (!char.IsHighSurrogate(word[end - 1]))
                    {
                        System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(lookup, word.AsSpan(begin, end - begin), out bool _) += count;
                    }
                }
            }
        }

        var characters = counts.Where(part => UnigramLattice.IsCharacter(part.Key)).OrderBy(part => part.Key, StringComparer.Ordinal);
        var parts = counts.Where(part => part.Value > 1 && !UnigramLattice.IsCharacter(part.Key))
            .OrderByDescending(part => part.Value * part.Key.Length).ThenBy(part => part.Key, StringComparer.Ordinal).Take(SeedsPerPiece * wanted);
        var seeds = characters.Concat(parts).Select(part => (part.Key, Weight: (double)part.Value * part.Key.Length)).ToList();
        var sum = Math.Log(seeds.Sum(seed => seed.Weight));
        return seeds.ConvertAll(seed => (seed.Key, Math.Log(seed.Weight) - sum));
    }

    private static TokenizerDefinition Define(List<(string Piece, double Score)> pieces)
    {
        var model = UnigramModel.Of([(Unknown, 0), ("<s>", 0), ("</s>", 0), .. pieces], unknown: 0, byteFallback: false);
        AddedToken[] added = [new(0, Unknown), new(1, "<s>"), new(2, "</s>")];
        const string metaspace = """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""";
        var definition = TokenizerJson.Define(model, added, new Dictionary<string, string?>
        {
            ["normalizer"] = """{"type":"NFKC"}""",
            ["pre_tokenizer"] = metaspace,
            ["decoder"] = metaspace,
        });
        return definition with { BeginOfText = 1, EndOfText = 2 };
    }

    private static JsonFields Json(string text)
    {
        using var document = System.Text.Json.JsonDocument.Parse(text);
        return new(document.RootElement.Clone(), "");
    }
}
