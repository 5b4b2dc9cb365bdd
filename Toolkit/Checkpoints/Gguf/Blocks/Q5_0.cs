using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Toolkit.Checkpoints;

/// <summary>32 numbers: a scale d (float16), a word of fifth bits and 4 low bits, those of the second half in the high bits; y = (q - 16)·d.</summary>
internal sealed unsafe class Q5_0() : BlockFormat(GgufType.Q5_0)
{
    private const int Length = 32;
    private const int Bytes = 22;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Dequantize(byte* blocks, float* values, long count)
    {
        var sixteen = Vector128.Create((sbyte)16);
        for (var i = 0L; i < count; i++)
        {
            var block = blocks + (i * Bytes);
            var y = values + (i * Length);
            var d = Vector256.Create(BlockVectors.Scale(block));
            var fifth = Unsafe.ReadUnaligned<uint>(block + 2);
            var q = Vector128.Load(block + 6);
            BlockVectors.Store((BlockVectors.Low(q) | BlockVectors.FifthBit(fifth)).AsSByte() - sixteen, d, y);
            BlockVectors.Store((BlockVectors.High(q) | BlockVectors.FifthBit(fifth >> 16)).AsSByte() - sixteen, d, y + 16);
        }
    }
}
