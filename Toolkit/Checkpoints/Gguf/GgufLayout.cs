namespace Toolkit.Checkpoints;

/// <summary>How many numbers of a type make a block, and how many bytes that takes; plain numbers are blocks of one.</summary>
internal sealed record GgufLayout(GgufType Type, int BlockLength, int BlockBytes)
{
    private static readonly Dictionary<GgufType, GgufLayout> All = new GgufLayout[]
    {
        new(GgufType.F32, 1, 4), new(GgufType.F16, 1, 2), new(GgufType.BF16, 1, 2), new(GgufType.F64, 1, 8),
        new(GgufType.I8, 1, 1), new(GgufType.I16, 1, 2), new(GgufType.I32, 1, 4), new(GgufType.I64, 1, 8),
        new(GgufType.Q4_0, 32, 18), new(GgufType.Q4_1, 32, 20), new(GgufType.Q5_0, 32, 22), new(GgufType.Q5_1, 32, 24),
        new(GgufType.Q8_0, 32, 34), new(GgufType.Q8_1, 32, 36),
        new(GgufType.Q2_K, 256, 84), new(GgufType.Q3_K, 256, 110), new(GgufType.Q4_K, 256, 144), new(GgufType.Q5_K, 256, 176),
        new(GgufType.Q6_K, 256, 210), new(GgufType.Q8_K, 256, 292),
        new(GgufType.IQ2_XXS, 256, 66), new(GgufType.IQ2_XS, 256, 74), new(GgufType.IQ3_XXS, 256, 98), new(GgufType.IQ1_S, 256, 50),
        new(GgufType.IQ4_NL, 32, 18), new(GgufType.IQ3_S, 256, 110), new(GgufType.IQ2_S, 256, 82), new(GgufType.IQ4_XS, 256, 136),
        new(GgufType.IQ1_M, 256, 56), new(GgufType.TQ1_0, 256, 54), new(GgufType.TQ2_0, 256, 66), new(GgufType.MXFP4, 32, 17), new(GgufType.NVFP4, 64, 36),
        new(GgufType.Q1_0, 128, 18), new(GgufType.Q2_0, 64, 18),
    }.ToDictionary(layout => layout.Type);

    /// <summary>What safetensors calls the same element, or null for blocks.</summary>
    public ElementType? Plain => BlockLength == 1 ? ElementType.Find(Type.ToString()) : null;

    /// <summary>The layout of a type, or null where there is no such type.</summary>
    public static GgufLayout? Find(GgufType type) => All.GetValueOrDefault(type);
}
