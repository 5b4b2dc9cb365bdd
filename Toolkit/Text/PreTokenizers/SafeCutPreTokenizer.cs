namespace Toolkit.Text;

/// <summary>
/// Cuts a text between neighbours that nothing in the vocabulary ever joins, which changes no token: a text that a SentencePiece vocabulary would take as
/// one long piece falls into words, whose tokens are kept.
/// </summary>
internal sealed class SafeCutPreTokenizer : PreTokenizer
{
    private readonly HashSet<int> _joined;

    private SafeCutPreTokenizer(HashSet<int> joined) => _joined = joined;

    /// <summary>The cuts of merged characters; null where a cut could change what is unknown or spelt in bytes.</summary>
    public static SafeCutPreTokenizer? Of(BytePairModel model)
    {
        if (model.IgnoreMerges || model.ContinuingPrefix.Length > 0 || model.EndOfWordSuffix.Length > 0 || !SpellsEverything(model) || !model.ByteFallback
            || model.Merges.Any(merge => ByteFallbackDecoder.Byte(merge.Left) is not null || ByteFallbackDecoder.Byte(merge.Right) is not null))
        {
            return null;
        }

        return new([.. model.Merges.Where(merge => merge.Left.Length > 0 && merge.Right.Length > 0).Select(merge => Key(merge.Left[^1], merge.Right[0]))]);
    }

    /// <summary>The cuts of pieces that are joined by their score.</summary>
    public static SafeCutPreTokenizer? Of(ScoredPieceModel model)
    {
        if (!model.File.ByteFallback || !SpellsEverything(model))
        {
            return null;
        }

        var joined = new HashSet<int>();
        foreach (var piece in model.Vocabulary.Keys)
        {
            for (var i = 0; i + 1 < piece.Length; i++)
            {
                joined.Add(Key(piece[i], piece[i + 1]));
            }
        }

        return new(joined);
    }

    public override void Split(TextSlice slice, List<TextSlice> parts)
    {
        var text = slice.Span;
        var begin = 0;
        for (var i = 1; i < text.Length; i++)
        {
            if (!char.IsLowSurrogate(text[i]) && !_joined.Contains(Key(text[i - 1], text[i])))
            {
                parts.Add(slice.Part(begin, i));
                begin = i;
            }
        }

        parts.Add(slice.Part(begin, text.Length));
    }

    private static int Key(char left, char right) => (left << 16) | right;

    private static bool SpellsEverything(VocabularyModel model) => Enumerable.Range(0, 256).All(value => model.Id($"<0x{value:X2}>") is not null);
}
