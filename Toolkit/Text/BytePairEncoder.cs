using System.Collections.Concurrent;

namespace Toolkit.Text;

/// <summary>Joins the bytes of a piece by the merges, the earliest learned first. Safe for use by several threads.</summary>
internal sealed class BytePairEncoder
{
    private const int CachedPieces = 1 << 16;
    private const int LongestCached = 64;

    private readonly int[] _bytes;
    private readonly Dictionary<(int Left, int Right), (int Rank, int Id)> _merges;
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly Func<ReadOnlySpan<byte>, int?>? _whole;

    /// <param name="bytes">The token of each byte.</param>
    /// <param name="merges">Rank and result of each pair of tokens that is joined.</param>
    /// <param name="whole">Where given: the token that spells a whole piece, which then is not merged at all (ignore_merges).</param>
    public BytePairEncoder(int[] bytes, Dictionary<(int Left, int Right), (int Rank, int Id)> merges, Func<ReadOnlySpan<byte>, int?>? whole = null)
    {
        _bytes = bytes;
        _merges = merges;
        _whole = whole;
        _lookup = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Appends the tokens of one piece.</summary>
    public void Encode(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (_lookup.TryGetValue(piece, out var known))
        {
            ids.AddRange(known);
            return;
        }

        var tokens = Encode(Wtf8.Encode(piece));
        ids.AddRange(tokens);
        if (piece.Length <= LongestCached && _cache.Count < CachedPieces)
        {
            _lookup[piece] = tokens;
        }
    }

    private int[] Encode(ReadOnlySpan<byte> piece)
    {
        if (_whole?.Invoke(piece) is { } single)
        {
            return [single];
        }

        var symbols = new int[piece.Length];
        for (var i = 0; i < symbols.Length; i++)
        {
            symbols[i] = _bytes[piece[i]];
        }

        return symbols.Length <= LongestCached ? MergeShort(symbols) : MergeLong(symbols);
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
                if (_merges.TryGetValue((symbols[i], symbols[i + 1]), out var merge) && merge.Rank < best)
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
            if (at >= 0 && next[at] is >= 0 and var right && _merges.TryGetValue((symbols[at], symbols[right]), out var merge))
            {
                queue.Enqueue((at, symbols[at], symbols[right], merge.Id), (merge.Rank, at));
            }
        }
    }
}
