namespace Toolkit.Text;

/// <summary>Splits as GPT-2 does; the parts are then spelt in the byte alphabet, which an encoder of bytes does without.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool splits, bool spells = true) : PreTokenizer
{
    /// <summary>Whether a part that does not begin with a space is given one.</summary>
    public bool AddsPrefixSpace => addPrefixSpace;

    /// <summary>The same for an encoder that takes the text itself.</summary>
    public ByteLevelPreTokenizer WithoutSpelling() => new(addPrefixSpace, splits, spells: false);

    public override void Split(TextSlice slice, List<TextSlice> parts)
    {
        if (addPrefixSpace && !slice.Span.StartsWith(" "))
        {
            var text = string.Concat(" ", slice.Span);
            slice = new TextSlice(text, 0, text.Length, slice.AtStart);
        }

        if (!splits)
        {
            Add(slice, parts);
            return;
        }

        var span = slice.Span;
        for (var at = 0; at < span.Length;)
        {
            var length = WordSplitter.Next(span[at..]);
            Add(slice.Part(at, at + length), parts);
            at += length;
        }
    }

    private void Add(TextSlice slice, List<TextSlice> parts)
    {
        if (spells)
        {
            var text = ByteAlphabet.Spell(Wtf8.Encode(slice.Span));
            slice = new TextSlice(text, 0, text.Length, slice.AtStart);
        }

        parts.Add(slice);
    }
}
