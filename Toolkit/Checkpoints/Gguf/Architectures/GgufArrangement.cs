namespace Toolkit.Checkpoints;

/// <summary>How a tensor lies in GGUF compared to Hugging Face.</summary>
/// <param name="Heads">Not 0: in each of so many heads, the rows of the first and of the second half take turns (rotary pairs side by side).</param>
/// <param name="IsTransposed">Hugging Face has (inputs, outputs), GGUF (outputs, inputs).</param>
internal readonly record struct GgufArrangement(long Heads, bool IsTransposed)
{
    public static readonly GgufArrangement Same = new(0, false);
    public static readonly GgufArrangement Transposed = new(0, true);

    public static GgufArrangement Interleaved(long heads) => new(heads, false);
}
