namespace Toolkit.Text;

/// <summary>Cuts where the class of the characters changes.</summary>
/// <param name="classOf">The class of a code point; null: it is left out; <see cref="Alone"/>: it is a part of its own.</param>
internal sealed class CharacterPreTokenizer(Func<int, char?> classOf) : PreTokenizer
{
    /// <summary>The class of characters that stand alone.</summary>
    public const char Alone = '\0';

    public override void Split(TextSlice slice, List<TextSlice> parts)
    {
        var text = slice.Span;
        var (begin, current) = (0, (char?)null);
        for (var i = 0; i < text.Length;)
        {
            var kind = classOf(Characters.At(text, i, out var length));
            if (kind != current || kind == Alone)
            {
                Add(begin, i, current);
                (begin, current) = (i, kind);
            }

            i += length;
        }

        Add(begin, text.Length, current);

        void Add(int from, int to, char? kind)
        {
            if (kind is not null && to > from)
            {
                parts.Add(slice.Part(from, to));
            }
        }
    }
}
