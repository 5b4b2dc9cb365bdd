namespace Toolkit.Text;

/// <summary>Splits at what an expression matches, or at characters of a class.</summary>
internal sealed class SplitPreTokenizer : PreTokenizer
{
    private readonly Func<TextSlice, List<(int Begin, int End)>> _matches;
    private readonly SplitBehavior _behavior;
    private readonly bool _invert;

    public SplitPreTokenizer(UnicodePattern pattern, SplitBehavior behavior, bool invert)
    {
        (_matches, _behavior, _invert) = (slice => pattern.Matches(slice.Span), behavior, invert);
    }

    public SplitPreTokenizer(Func<int, bool> separates, SplitBehavior behavior)
    {
        (_matches, _behavior) = (slice => Points(slice.Span, separates), behavior);
    }

    public override void Split(TextSlice slice, List<TextSlice> parts)
    {
        var at = 0;
        var pieces = new Pieces(slice, _behavior, parts);
        foreach (var (begin, end) in _matches(slice))
        {
            if (begin > at)
            {
                pieces.Add(at, begin, _invert);
            }

            pieces.Add(begin, end, !_invert);
            at = end;
        }

        if (at < slice.Length)
        {
            pieces.Add(at, slice.Length, _invert);
        }

        pieces.Flush();
    }

    private static List<(int Begin, int End)> Points(ReadOnlySpan<char> text, Func<int, bool> separates)
    {
        var matches = new List<(int, int)>();
        for (var i = 0; i < text.Length;)
        {
            if (separates(Characters.At(text, i, out var length)))
            {
                matches.Add((i, i + length));
            }

            i += length;
        }

        return matches;
    }

    /// <summary>Holds a piece back until it is known what it is merged with.</summary>
    private struct Pieces(TextSlice slice, SplitBehavior behavior, List<TextSlice> parts)
    {
        private (int Begin, int End, bool Separates)? _held;

        public void Add(int begin, int end, bool separates)
        {
            var joins = _held is { } before && behavior switch
            {
                SplitBehavior.Contiguous => before.Separates == separates,
                SplitBehavior.MergedWithPrevious => separates && !before.Separates,
                SplitBehavior.MergedWithNext => before.Separates && !separates,
                _ => false,
            };
            if (joins)
            {
                begin = _held!.Value.Begin;
            }
            else
            {
                Flush();
            }

            // A piece that took its separator takes no other.
            _held = (begin, end, joins && behavior == SplitBehavior.MergedWithPrevious || separates);
            if (joins && behavior == SplitBehavior.MergedWithNext)
            {
                _held = (begin, end, false);
            }
        }

        public void Flush()
        {
            if (_held is { } piece && piece.End > piece.Begin && !(behavior == SplitBehavior.Removed && piece.Separates))
            {
                parts.Add(slice.Part(piece.Begin, piece.End));
            }

            _held = null;
        }
    }
}
