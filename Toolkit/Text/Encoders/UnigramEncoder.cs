namespace Toolkit.Text;

/// <summary>Finds the most probable spelling of a piece by dynamic programming over its characters (Viterbi).</summary>
internal sealed class UnigramEncoder : PieceEncoder
{
    /// <summary>A character that no piece spells is so much less probable than the least probable piece, as SentencePiece has it.</summary>
    private const double UnknownPenalty = 10;

    private readonly UnigramModel _model;
    private readonly PieceTrie _trie = new();
    private readonly double _unknownScore;
    private readonly int?[] _bytes;

    public UnigramEncoder(UnigramModel model)
    {
        _model = model;
        var lowest = 0.0;
        foreach (var (piece, id) in model.Vocabulary)
        {
            if (piece.Length > 0 && !model.Hidden.Contains(id))
            {
                lowest = Math.Min(lowest, model.Pieces[id].Score);
                _trie.Add(piece, id);
            }
        }

        _unknownScore = lowest - UnknownPenalty;
        _bytes = model.ByteFallback ? [.. Enumerable.Range(0, 256).Select(value => model.Id($"<0x{value:X2}>"))] : [];
    }

    protected override int[] Encode(ReadOnlySpan<char> piece)
    {
        var best = new (double Score, int Begin, int Id)[piece.Length + 1];
        Array.Fill(best, (double.NegativeInfinity, -1, -1));
        best[0] = (0, -1, -1);
        for (var begin = 0; begin < piece.Length;)
        {
            Characters.At(piece, begin, out var length);
            var (score, single) = (best[begin].Score, false);
            var node = _trie.Root;
            for (var end = begin; end < piece.Length && _trie.Next(node, piece[end], out node);)
            {
                end++;
                if (_trie.Id(node) is >= 0 and var id)
                {
                    single |= end - begin == length;
                    Offer(end, score + _model.Pieces[id].Score, begin, id);
                }
            }

            if (!single)
            {
                Offer(begin + length, score + _unknownScore, begin, -1);
            }

            begin += length;
        }

        return Collect(piece, best);

        void Offer(int end, double score, int begin, int id)
        {
            if (best[end].Begin < 0 || score > best[end].Score)
            {
                best[end] = (score, begin, id);
            }
        }
    }

    private int[] Collect(ReadOnlySpan<char> piece, (double Score, int Begin, int Id)[] best)
    {
        var parts = new List<(int Begin, int End, int Id)>();
        for (var end = piece.Length; end > 0; end = best[end].Begin)
        {
            var (begin, id) = (best[end].Begin, best[end].Id);
            // Neighbouring unknown characters are one unknown piece.
            if (IsUnknown(id) && _model.Unknown is not null && parts.Count > 0 && IsUnknown(parts[^1].Id))
            {
                parts[^1] = (begin, parts[^1].End, -1);
            }
            else
            {
                parts.Add((begin, end, id));
            }
        }

        var ids = new List<int>(parts.Count);
        for (var i = parts.Count - 1; i >= 0; i--)
        {
            AddPart(piece[parts[i].Begin..parts[i].End], parts[i].Id, ids);
        }

        return [.. ids];
    }

    private bool IsUnknown(int id) => id < 0 || id == _model.Unknown;

    private void AddPart(ReadOnlySpan<char> part, int id, List<int> ids)
    {
        if (id >= 0)
        {
            ids.Add(id);
            return;
        }

        var spelt = _bytes.Length > 0 ? Array.ConvertAll(Wtf8.Encode(part), value => _bytes[value]) : [];
        if (spelt.Length > 0 && Array.TrueForAll(spelt, value => value is not null))
        {
            ids.AddRange(spelt.Select(value => value!.Value));
            return;
        }

        ids.Add(_model.Unknown ?? throw new InvalidDataException($"no piece of the vocabulary spells '{part}', and there is no unknown piece"));
    }
}
