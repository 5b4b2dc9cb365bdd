using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Toolkit.Checkpoints;

/// <summary>32 numbers: a scale d and a minimum m (float16), a word of fifth bits and 4 low bits, those of the second half in the high bits; y = q·d + m.</summary>
internal sealed unsafe class Q5_1() : BlockFormat(GgufType.Q5_1)
{
    private const int Length = 32;
    private const int Bytes = 24;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Dequantize(byte* blocks, float* values, long count)
    {
        for (var i = 0L; i < count; i++)
        {
            var block = blocks + (i * Bytes);
            var y = values + (i * Length);
            var (d, m) = (Vector256.Create(BlockVectors.Scale(block)), Vector256.Create(BlockVectors.Scale(block + 2)));
            var fifth = Unsafe.ReadUnaligned<uint>(block + 4);
            var q = Vector128.Load(block + 8);
            BlockVectors.Store(BlockVectors.Low(q) | BlockVectors.FifthBit(fifth), d, m, y);
            BlockVectors.Store(BlockVectors.High(q) | BlockVectors.FifthBit(fifth >> 16), d, m, y + 16);
        }
    }
}
