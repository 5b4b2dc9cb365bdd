namespace Toolkit.Checkpoints;

/// <summary>A way to keep numbers in blocks of few bits: one file each, as ggml defines it (https://github.com/ggml-org/ggml, ggml-quants.c) and bit for bit equal to it.</summary>
internal abstract unsafe class BlockFormat(GgufType type)
{
    private static readonly Dictionary<GgufType, BlockFormat> All = new BlockFormat[]
    {
        new Q8_0(), new Q4_0(), new Q4_1(), new Q5_0(), new Q5_1(), new Q4_K(), new Q5_K(), new Q6_K(),
    }.ToDictionary(format => format.Layout.Type);

    public GgufLayout Layout { get; } = GgufLayout.Find(type)!;

    /// <summary>Whether <see cref="Quantize"/> is there.</summary>
    public virtual bool CanQuantize => false;

    /// <summary>The formats that can be read.</summary>
    public static IReadOnlyCollection<GgufType> Types => All.Keys;

    public static BlockFormat? Find(GgufType type) => All.GetValueOrDefault(type);

    /// <summary>Writes the numbers of so many blocks.</summary>
    public abstract void Dequantize(byte* blocks, float* values, long count);

    /// <summary>Writes so many blocks of numbers.</summary>
    public virtual void Quantize(float* values, byte* blocks, long count) => throw new NotSupportedException($"{Layout.Type} cannot be written");
}
