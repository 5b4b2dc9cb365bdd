namespace Toolkit.Text;

/// <summary>A part of a text.</summary>
/// <param name="Text">The text, which a pre-tokenizer may have changed.</param>
/// <param name="Offset">Where the part begins.</param>
/// <param name="Length">Its length in characters.</param>
/// <param name="AtStart">Whether it begins what the user gave.</param>
internal readonly record struct TextSlice(string Text, int Offset, int Length, bool AtStart)
{
    public ReadOnlySpan<char> Span => Text.AsSpan(Offset, Length);

    /// <summary>A part of the part.</summary>
    public TextSlice Part(int begin, int end) => new(Text, Offset + begin, end - begin, AtStart && begin == 0);
}
