using System.Collections.Concurrent;

namespace Toolkit.Text;

/// <summary>Turns one part of a text into tokens. Safe for use by several threads.</summary>
internal abstract class PieceEncoder
{
    private const int CachedPieces = 1 << 16;

    /// <summary>The longest piece, in characters, whose tokens are kept.</summary>
    protected const int LongestCached = 64;

    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private int _cached;

    protected PieceEncoder() => _lookup = _cache.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Appends the tokens of one piece.</summary>
    public void Encode(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (piece.Length > LongestCached)
        {
            ids.AddRange(Encode(piece));
            return;
        }

        if (!_lookup.TryGetValue(piece, out var tokens))
        {
            tokens = Encode(piece);
            // Counted here: the dictionary's own count takes all its locks.
            if (_cached < CachedPieces && _lookup.TryAdd(piece, tokens))
            {
                Interlocked.Increment(ref _cached);
            }
        }

        ids.AddRange(tokens);
    }

    /// <summary>The tokens of one piece, which is not empty.</summary>
    protected abstract int[] Encode(ReadOnlySpan<char> piece);
}
