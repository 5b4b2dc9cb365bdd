namespace Toolkit.Text;

/// <summary>Cuts a text into parts of so many code points.</summary>
internal sealed class FixedLengthPreTokenizer : PreTokenizer
{
    private readonly int _length;

    public FixedLengthPreTokenizer(int length) => _length = length > 0 ? length : throw new InvalidDataException($"pre_tokenizer.length is {length}");

    public override void Split(TextSlice slice, List<TextSlice> parts)
    {
        var (begin, points) = (0, 0);
        for (var i = 0; i < slice.Length;)
        {
            Characters.At(slice.Span, i, out var length);
            i += length;
            if (++points == _length || i == slice.Length)
            {
                parts.Add(slice.Part(begin, i));
                (begin, points) = (i, 0);
            }
        }
    }
}
