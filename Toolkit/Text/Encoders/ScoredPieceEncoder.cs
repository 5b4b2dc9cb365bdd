namespace Toolkit.Text;

/// <summary>Joins neighbours by the score of what they spell, the leftmost of equals first.</summary>
internal sealed class ScoredPieceEncoder : PieceEncoder
{
    private readonly SentencePieceFile _file;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _pieces;
    private readonly PieceTrie? _frozen;
    private readonly int?[] _bytes;

    public ScoredPieceEncoder(ScoredPieceModel model)
    {
        _file = model.File;
        _pieces = model.Vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        _frozen = model.UserDefined.Count == 0 ? null : new();
        foreach (var piece in model.UserDefined)
        {
            _frozen!.Add(piece, model.Vocabulary[piece]);
        }

        _bytes = _file.ByteFallback ? [.. Enumerable.Range(0, 256).Select(value => model.Id($"<0x{value:X2}>"))] : [];
    }

    protected override int[] Encode(ReadOnlySpan<char> piece)
    {
        var symbols = Symbols(piece);
        var queue = new PriorityQueue<(int Left, int Right, int Length), (float Score, int Left)>();
        var split = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i + 1 < symbols.Length; i++)
        {
            Offer(piece, i, i + 1);
        }

        while (queue.TryDequeue(out var join, out _))
        {
            ref var left = ref symbols[join.Left];
            var right = symbols[join.Right];
            if (left.Length == 0 || right.Length == 0 || left.Length + right.Length != join.Length || left.Next != join.Right)
            {
                continue;
            }

            left = left with { Length = join.Length, Next = right.Next };
            symbols[join.Right].Length = 0;
            if (right.Next >= 0)
            {
                symbols[right.Next].Previous = join.Left;
            }

            Offer(piece, left.Previous, join.Left);
            Offer(piece, join.Left, left.Next);
        }

        var ids = new List<int>(symbols.Length);
        foreach (var symbol in symbols)
        {
            if (symbol.Length > 0)
            {
                Write(piece.Slice(symbol.Begin, symbol.Length), split, ids);
            }
        }

        return [.. ids];

        void Offer(ReadOnlySpan<char> text, int left, int right)
        {
            if (left < 0 || right < 0 || symbols[left].Frozen || symbols[right].Frozen)
            {
                return;
            }

            var length = symbols[left].Length + symbols[right].Length;
            var joined = text.Slice(symbols[left].Begin, length);
            if (_pieces.TryGetValue(joined, out var id) && IsText(id))
            {
                queue.Enqueue((left, right, length), (-_file.Pieces[id].Score, left));
                if (_file.Pieces[id].Type == SentencePieceType.Unused)
                {
                    split[joined.ToString()] = symbols[left].Length;
                }
            }
        }
    }

    private Symbol[] Symbols(ReadOnlySpan<char> piece)
    {
        var symbols = new List<Symbol>(piece.Length);
        for (var i = 0; i < piece.Length;)
        {
            var frozen = 0;
            _ = _frozen?.Longest(piece[i..], out frozen);
            Characters.At(piece, i, out var length);
            length = frozen > 0 ? frozen : length;
            symbols.Add(new Symbol(i, length, symbols.Count - 1, i + length < piece.Length ? symbols.Count + 1 : -1, frozen > 0));
            i += length;
        }

        return [.. symbols];
    }

    private bool IsText(int id) => _file.Pieces[id].Type is SentencePieceType.Normal or SentencePieceType.UserDefined or SentencePieceType.Unused;

    /// <summary>A piece that must not be used is cut where it was joined.</summary>
    private void Write(ReadOnlySpan<char> text, Dictionary<string, int> split, List<int> ids)
    {
        if (_pieces.TryGetValue(text, out var id) && IsText(id))
        {
            if (_file.Pieces[id].Type == SentencePieceType.Unused && split.TryGetValue(text.ToString(), out var at))
            {
                Write(text[..at], split, ids);
                Write(text[at..], split, ids);
                return;
            }

            ids.Add(id);
            return;
        }

        var spelt = _bytes.Length > 0 ? Array.ConvertAll(Wtf8.Encode(text), value => _bytes[value]) : [];
        if (spelt.Length > 0 && Array.TrueForAll(spelt, value => value is not null))
        {
            ids.AddRange(spelt.Select(value => value!.Value));
        }
        else if (ids.Count == 0 || ids[^1] != _file.UnknownId)
        {
            ids.Add(_file.UnknownId);
        }
    }

    private record struct Symbol(int Begin, int Length, int Previous, int Next, bool Frozen);
}
