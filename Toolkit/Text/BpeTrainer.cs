using System.Collections.Concurrent;

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
        var learner = new MergeLearner(CountWords(documents));
        learner.Learn(wanted, count =>
        {
            if (count % ProgressEvery == 0)
            {
                progress?.Invoke(new(count, wanted));
            }
        });
        var made = learner.Spellings.Count - 256;
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

    /// <summary>The different words with how often they occur, in an order that does not depend on the threads.</summary>
    private static List<(byte[] Bytes, long Count)> CountWords(IEnumerable<string> documents)
    {
        var parts = new ConcurrentBag<Dictionary<string, long>>();
        Parallel.ForEach<string, Dictionary<string, long>>(
            Partitioner.Create(documents, EnumerablePartitionerOptions.NoBuffering),
            () => new Dictionary<string, long>(StringComparer.Ordinal),
            (document, _, words) =>
            {
                var lookup = words.GetAlternateLookup<ReadOnlySpan<char>>();
                for (var rest = document.AsSpan(); rest.Length > 0;)
                {
                    var length = WordSplitter.Next(rest);
                    System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(lookup, rest[..length], out bool _)++;
                    rest = rest[length..];
                }

                return words;
            },
            parts.Add);
        var all = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var (word, count) in parts.SelectMany(part => part))
        {
            all[word] = all.GetValueOrDefault(word) + count;
        }

        return [.. all.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (Wtf8.Encode(pair.Key), pair.Value))];
    }
}

/// <summary>The words as sequences of symbols, and how often each pair of neighbours occurs in them.</summary>
internal sealed class MergeLearner
{
    private readonly Dictionary<string, int> _symbols;
    private readonly HashSet<(int Left, int Right)> _merged = [];
    private readonly List<int>[] _words;
    private readonly long[] _counts;
    private readonly Dictionary<(int Left, int Right), long> _pairs = [];
    private readonly Dictionary<(int Left, int Right), HashSet<int>> _places = [];
    private readonly PriorityQueue<(int Left, int Right), (long Count, int Left, int Right)> _queue = new(Comparer<(long Count, int Left, int Right)>.Create(Compare));

    public MergeLearner(List<(byte[] Bytes, long Count)> words)
    {
        Spellings = [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.Spell([(byte)value]))];
        _symbols = Spellings.Index().ToDictionary(symbol => symbol.Item, symbol => symbol.Index, StringComparer.Ordinal);
        _words = [.. words.Select(word => word.Bytes.Select(value => (int)value).ToList())];
        _counts = [.. words.Select(word => word.Count)];
        for (var word = 0; word < _words.Length; word++)
        {
            for (var i = 0; i + 1 < _words[word].Count; i++)
            {
                Add((_words[word][i], _words[word][i + 1]), word, _counts[word]);
            }
        }

        foreach (var (pair, count) in _pairs)
        {
            _queue.Enqueue(pair, (count, pair.Left, pair.Right));
        }
    }

    /// <summary>How each symbol is spelt; the first 256 are the bytes.</summary>
    public List<string> Spellings { get; }

    /// <summary>The pairs that became one symbol, in order.</summary>
    public List<(int Left, int Right)> Merges { get; } = [];

    /// <summary>Merges until there are so many symbols more than bytes, or nothing is left to merge.</summary>
    public void Learn(int wanted, Action<int> learned)
    {
        while (Spellings.Count < 256 + wanted && _queue.TryDequeue(out var pair, out var priority))
        {
            // A count that has changed since it was queued was queued anew.
            if (!_pairs.TryGetValue(pair, out var count) || count != priority.Count || count <= 0)
            {
                continue;
            }

            var spelling = Spellings[pair.Left] + Spellings[pair.Right];
            if (!_symbols.TryGetValue(spelling, out var symbol))
            {
                // Another pair may have spelt the same before: then they are one token.
                _symbols[spelling] = symbol = Spellings.Count;
                Spellings.Add(spelling);
            }

            Merge(pair, symbol);
            // A pair may come up again after its own merge, when another pair spells its left or right part.
            if (_merged.Add(pair))
            {
                Merges.Add(pair);
            }

            learned(Spellings.Count - 256);
        }
    }

    /// <summary>The most frequent first; of equals the one whose symbols are older.</summary>
    private static int Compare((long Count, int Left, int Right) a, (long Count, int Left, int Right) b)
    {
        var order = b.Count.CompareTo(a.Count);
        order = order != 0 ? order : a.Left.CompareTo(b.Left);
        return order != 0 ? order : a.Right.CompareTo(b.Right);
    }

    private void Merge((int Left, int Right) pair, int symbol)
    {
        var changed = new HashSet<(int Left, int Right)>();
        _places.Remove(pair, out var places);
        _pairs.Remove(pair);
        foreach (var index in places!)
        {
            var (word, count) = (_words[index], _counts[index]);
            for (var i = 0; i + 1 < word.Count; i++)
            {
                if (word[i] != pair.Left || word[i + 1] != pair.Right)
                {
                    continue;
                }

                word[i] = symbol;
                word.RemoveAt(i + 1);
                if (i > 0)
                {
                    Replace((word[i - 1], pair.Left), (word[i - 1], symbol), index, count, pair, changed);
                }

                if (i + 1 < word.Count)
                {
                    Replace((pair.Right, word[i + 1]), (symbol, word[i + 1]), index, count, pair, changed);
                }
            }
        }

        foreach (var other in changed)
        {
            if (_pairs.TryGetValue(other, out var count) && count > 0)
            {
                _queue.Enqueue(other, (count, other.Left, other.Right));
            }
        }
    }

    private void Replace(
        (int Left, int Right) old, (int Left, int Right) made, int word, long count, (int Left, int Right) merged, HashSet<(int Left, int Right)> changed)
    {
        // Occurrences of the merged pair itself are gone with it ("aaa": the second pair overlaps the first).
        if (old != merged && _pairs.TryGetValue(old, out var before))
        {
            _pairs[old] = before - count;
            changed.Add(old);
        }

        Add(made, word, count);
        changed.Add(made);
    }

    private void Add((int Left, int Right) pair, int word, long count)
    {
        _pairs[pair] = _pairs.GetValueOrDefault(pair) + count;
        if (!_places.TryGetValue(pair, out var places))
        {
            _places[pair] = places = [];
        }

        places.Add(word);
    }
}
