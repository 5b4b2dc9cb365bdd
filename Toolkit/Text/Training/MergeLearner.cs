namespace Toolkit.Text;

/// <summary>The words as sequences of symbols, and how often each pair of neighbours occurs in them.</summary>
internal sealed class MergeLearner
{
    private readonly Dictionary<string, int> _symbols;
    private readonly Func<string, string, string> _join;
    private readonly HashSet<(int Left, int Right)> _merged = [];
    private readonly List<int>[] _words;
    private readonly long[] _counts;
    private readonly Dictionary<(int Left, int Right), long> _pairs = [];
    private readonly Dictionary<(int Left, int Right), HashSet<int>> _places = [];
    private readonly PriorityQueue<(int Left, int Right), (long Count, int Left, int Right)> _queue = new(Comparer<(long Count, int Left, int Right)>.Create(Compare));

    /// <param name="spellings">How the symbols are spelt that words begin as.</param>
    /// <param name="words">The different words as symbols, and how often each occurs.</param>
    /// <param name="join">How two symbols are spelt together.</param>
    public MergeLearner(IEnumerable<string> spellings, IReadOnlyCollection<(List<int> Symbols, long Count)> words, Func<string, string, string> join)
    {
        Spellings = [.. spellings];
        Alphabet = Spellings.Count;
        _join = join;
        _symbols = Spellings.Index().ToDictionary(symbol => symbol.Item, symbol => symbol.Index, StringComparer.Ordinal);
        _words = [.. words.Select(word => word.Symbols)];
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

    /// <summary>How each symbol is spelt; the first are those that words begin as.</summary>
    public List<string> Spellings { get; }

    /// <summary>How many symbols words begin as.</summary>
    public int Alphabet { get; }

    /// <summary>The pairs that became one symbol, in order.</summary>
    public List<(int Left, int Right)> Merges { get; } = [];

    /// <summary>Merges until there are so many symbols more than at the beginning, or nothing is left to merge.</summary>
    public void Learn(int wanted, Action<int> learned)
    {
        while (Spellings.Count < Alphabet + wanted && _queue.TryDequeue(out var pair, out var priority))
        {
            Interruption.ThrowIfRequested();
            // A count that has changed since it was queued was queued anew.
            if (!_pairs.TryGetValue(pair, out var count) || count != priority.Count || count <= 0)
            {
                continue;
            }

            var spelling = _join(Spellings[pair.Left], Spellings[pair.Right]);
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

            learned(Spellings.Count - Alphabet);
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
