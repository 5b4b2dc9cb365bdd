namespace Toolkit.Text;

/// <summary>Joins the symbols of a piece by the merges, the earliest learned first (Sennrich et al., 2016).</summary>
/// <param name="symbols">The tokens that a piece begins as: of its bytes, or of its characters.</param>
/// <param name="merges">Rank and result of each pair of tokens that is joined, by <see cref="Key"/>.</param>
/// <param name="whole">Where given: the token that spells a whole piece, which then is not merged at all (ignore_merges).</param>
internal sealed class BytePairEncoder(Func<string, int[]> symbols, Dictionary<long, (int Rank, int Id)> merges, Func<string, int?>? whole = null) : PieceEncoder
{
    /// <summary>A pair of tokens as one number.</summary>
    public static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    protected override int[] Encode(ReadOnlySpan<char> piece)
    {
        var text = piece.ToString();
        if (whole?.Invoke(text) is { } single)
        {
            return [single];
        }

        var start = symbols(text);
        return start.Length <= LongestCached ? MergeShort(start) : MergeLong(start);
    }

    /// <summary>Looks through all pairs for every merge: the fastest for a word.</summary>
    private int[] MergeShort(int[] symbols)
    {
        var count = symbols.Length;
        while (count > 1)
        {
            var (best, at, id) = (int.MaxValue, -1, 0);
            for (var i = 0; i + 1 < count; i++)
            {
                if (merges.TryGetValue(Key(symbols[i], symbols[i + 1]), out var merge) && merge.Rank < best)
                {
                    (best, at, id) = (merge.Rank, i, merge.Id);
                }
            }

            if (at < 0)
            {
                break;
            }

            symbols[at] = id;
            symbols.AsSpan(at + 2, count - at - 2).CopyTo(symbols.AsSpan(at + 1));
            count--;
        }

        return symbols[..count];
    }

    /// <summary>The same with a queue of pairs and links between symbols: n log n for a piece of any length.</summary>
    private int[] MergeLong(int[] symbols)
    {
        var next = new int[symbols.Length];
        var previous = new int[symbols.Length];
        var queue = new PriorityQueue<(int At, int Left, int Right, int Id), (int Rank, int At)>();
        for (var i = 0; i < symbols.Length; i++)
        {
            (next[i], previous[i]) = (i + 1 < symbols.Length ? i + 1 : -1, i - 1);
        }

        for (var i = 0; i + 1 < symbols.Length; i++)
        {
            Offer(i);
        }

        while (queue.TryDequeue(out var merge, out _))
        {
            var right = next[merge.At];
            if (symbols[merge.At] != merge.Left || right < 0 || symbols[right] != merge.Right)
            {
                continue;
            }

            symbols[merge.At] = merge.Id;
            symbols[right] = -1;
            next[merge.At] = next[right];
            if (next[right] >= 0)
            {
                previous[next[right]] = merge.At;
            }

            Offer(merge.At);
            Offer(previous[merge.At]);
        }

        return [.. symbols.Where(symbol => symbol >= 0)];

        void Offer(int at)
        {
            if (at >= 0 && next[at] is >= 0 and var right && merges.TryGetValue(Key(symbols[at], symbols[right]), out var merge))
            {
                queue.Enqueue((at, symbols[at], symbols[right], merge.Id), (merge.Rank, at));
            }
        }
    }
}
