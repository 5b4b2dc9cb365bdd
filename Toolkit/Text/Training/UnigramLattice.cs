namespace Toolkit.Text;

/// <summary>Pieces with log-probabilities, and all the ways in which they spell words.</summary>
internal sealed class UnigramLattice
{
    // A piece that is expected less often than this is dropped (SentencePiece has the same number).
    private const double LeastExpected = 0.5;

    private List<(string Piece, double Score)> _pieces;
    private PieceTrie _trie = new();

    public UnigramLattice(List<(string Piece, double Score)> pieces)
    {
        _pieces = pieces;
        Index();
    }

    /// <summary>How many pieces there are.</summary>
    public int Count => _pieces.Count;

    /// <summary>Whether a piece is one code point: those are always kept, so that every word can be spelt.</summary>
    public static bool IsCharacter(string piece) => piece.Length == 1 || (piece.Length == 2 && char.IsSurrogatePair(piece, 0));

    /// <summary>One step of expectation-maximization; returns the mean log-likelihood of a word before it.</summary>
    /// <param name="words">The words and how often each occurs.</param>
    /// <param name="least">So many pieces are kept even if some are hardly ever expected.</param>
    public double Fit(List<(string Word, long Count)> words, int least = 0)
    {
        var expected = new double[_pieces.Count];
        var (likelihood, total) = (0.0, 0L);
        foreach (var (word, count) in words)
        {
            Interruption.ThrowIfRequested();
            likelihood += count * Expect(word, count, expected);
            total += count;
        }

        var enough = expected.Length <= least ? 0 : Math.Min(LeastExpected, expected.OrderDescending().ElementAt(Math.Max(0, least - 1)));
        var kept = _pieces.Select((piece, id) => (piece.Piece, Expected: expected[id])).Where(piece => piece.Expected >= enough || IsCharacter(piece.Piece)).ToList()
            .ConvertAll(piece => (piece.Piece, Expected: Math.Max(piece.Expected, LeastExpected)));
        // The digamma function instead of the logarithm: a prior that makes rare pieces rarer (Bayesian EM).
        var sum = Digamma(kept.Sum(piece => piece.Expected));
        _pieces = kept.ConvertAll(piece => (piece.Piece, Digamma(piece.Expected) - sum));
        Index();
        return total == 0 ? 0 : likelihood / total;
    }

    /// <summary>Drops the pieces that cost least until so many are left; false if none could be dropped.</summary>
    public bool Prune(List<(string Word, long Count)> words, int left)
    {
        var counts = new double[_pieces.Count];
        foreach (var (word, count) in words)
        {
            foreach (var id in Spell(word, without: -1)!)
            {
                counts[id] += count;
            }
        }

        var sum = counts.Sum();
        var losses = new List<(int Id, double Loss)>();
        var kept = new List<int>();
        foreach (var (id, (piece, _)) in _pieces.Index())
        {
            if (IsCharacter(piece))
            {
                kept.Add(id);
            }
            else
            {
                losses.Add((id, counts[id] > 0 ? Loss(piece, id, counts, sum) : 0));
            }
        }

        kept.AddRange(losses.OrderByDescending(loss => loss.Loss).ThenBy(loss => loss.Id).Take(Math.Max(0, left - kept.Count)).Select(loss => loss.Id));
        if (kept.Count == _pieces.Count)
        {
            return false;
        }

        _pieces = [.. kept.Order().Select(id => _pieces[id])];
        Index();
        return true;
    }

    /// <summary>The most probable pieces, all characters among them.</summary>
    public List<(string Piece, double Score)> Best(int count) =>
        [.. _pieces.OrderByDescending(piece => IsCharacter(piece.Piece)).ThenByDescending(piece => piece.Score).ThenBy(piece => piece.Piece, StringComparer.Ordinal)
            .Take(Math.Max(count, _pieces.Count(piece => IsCharacter(piece.Piece)))).OrderByDescending(piece => piece.Score).ThenBy(piece => piece.Piece, StringComparer.Ordinal)];

    /// <summary>What the likelihood loses if a piece is spelt by the others, in shares of all pieces used.</summary>
    private double Loss(string piece, int id, double[] counts, double sum)
    {
        if (Spell(piece, without: id) is not { } others)
        {
            return double.PositiveInfinity;
        }

        var own = Math.Log(counts[id]) - Math.Log(sum);
        var after = Math.Log(sum + (counts[id] * (others.Count - 1)));
        return counts[id] / sum * (own - others.Sum(other => Math.Log(counts[other] + counts[id]) - after));
    }

    /// <summary>Adds to each piece how often it is expected in a word; returns the word's log-likelihood.</summary>
    private double Expect(string word, long count, double[] expected)
    {
        var forward = new double[word.Length + 1];
        var backward = new double[word.Length + 1];
        Array.Fill(forward, double.NegativeInfinity);
        Array.Fill(backward, double.NegativeInfinity);
        (forward[0], backward[^1]) = (0, 0);
        var edges = new List<(int Begin, int End, int Id)>();
        Each(word, (begin, end, id) =>
        {
            edges.Add((begin, end, id));
            forward[end] = LogAdd(forward[end], forward[begin] + _pieces[id].Score);
        });
        for (var i = edges.Count - 1; i >= 0; i--)
        {
            var (begin, end, id) = edges[i];
            backward[begin] = LogAdd(backward[begin], backward[end] + _pieces[id].Score);
        }

        foreach (var (begin, end, id) in edges)
        {
            expected[id] += count * Math.Exp(forward[begin] + _pieces[id].Score + backward[end] - forward[^1]);
        }

        return forward[^1];
    }

    /// <summary>The most probable pieces of a word; null if it cannot be spelt without the one that is left out.</summary>
    private List<int>? Spell(string word, int without)
    {
        var best = new (double Score, int Begin, int Id)[word.Length + 1];
        Array.Fill(best, (double.NegativeInfinity, -1, -1));
        best[0] = (0, -1, -1);
        Each(word, (begin, end, id) =>
        {
            if (id != without && best[begin].Score + _pieces[id].Score is var score && score > best[end].Score)
            {
                best[end] = (score, begin, id);
            }
        });
        if (best[^1].Begin < 0)
        {
            return null;
        }

        var ids = new List<int>();
        for (var end = word.Length; end > 0; end = best[end].Begin)
        {
            ids.Add(best[end].Id);
        }

        return ids;
    }

    /// <summary>Every piece at every place of a word, from left to right.</summary>
    private void Each(string word, Action<int, int, int> piece)
    {
        for (var begin = 0; begin < word.Length; begin++)
        {
            var node = _trie.Root;
            for (var end = begin; end < word.Length && _trie.Next(node, word[end], out node);)
            {
                end++;
                if (_trie.Id(node) is >= 0 and var id)
                {
                    piece(begin, end, id);
                }
            }
        }
    }

    private void Index()
    {
        _trie = new();
        foreach (var (id, (piece, _)) in _pieces.Index())
        {
            _trie.Add(piece, id);
        }
    }

    private static double LogAdd(double a, double b) =>
        double.IsNegativeInfinity(a) ? b : double.IsNegativeInfinity(b) ? a : Math.Max(a, b) + Math.Log(1 + Math.Exp(-Math.Abs(a - b)));

    /// <summary>The derivative of the logarithm of the gamma function, by recurrence and the asymptotic series (Abramowitz and Stegun 6.3.18).</summary>
    private static double Digamma(double x)
    {
        var result = 0.0;
        for (; x < 7; x++)
        {
            result -= 1 / x;
        }

        x -= 0.5;
        var square = 1 / (x * x);
        return result + Math.Log(x) + (square * ((1.0 / 24) - (square * ((7.0 / 960) - (square * (31.0 / 8064))))));
    }
}
