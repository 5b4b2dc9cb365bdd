using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Toolkit.Checkpoints;

/// <summary>32 numbers: a scale d (float16) and 4-bit q, those of the second half in the high bits; y = (q - 8)·d.</summary>
internal sealed unsafe class Q4_0() : BlockFormat(GgufType.Q4_0)
{
    private const int Length = 32;
    private const int Bytes = 18;

    public override bool CanQuantize => true;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Dequantize(byte* blocks, float* values, long count)
    {
        var eight = Vector128.Create((sbyte)8);
        for (var i = 0L; i < count; i++)
        {
            var block = blocks + (i * Bytes);
            var y = values + (i * Length);
            var d = Vector256.Create(BlockVectors.Scale(block));
            var q = Vector128.Load(block + 2);
            BlockVectors.Store(BlockVectors.Low(q).AsSByte() - eight, d, y);
            BlockVectors.Store(BlockVectors.High(q).AsSByte() - eight, d, y + 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Quantize(float* values, byte* blocks, long count)
    {
        for (var i = 0L; i < count; i++)
        {
            var block = blocks + (i * Bytes);
            var x = values + (i * Length);
            var d = Farthest(x) / -8;
            var inverse = Vector256.Create(d != 0 ? 1 / d : 0);
            Unsafe.WriteUnaligned(block, (Half)d);
            var low = Vector256.Narrow(Nibble(x, inverse), Nibble(x + 8, inverse));
            var high = Vector256.Narrow(Nibble(x + 16, inverse), Nibble(x + 24, inverse));
            var nibbles = low | Vector256.ShiftLeft(high, 4); // 16 of int16
            Vector128.Narrow(nibbles.GetLower().AsUInt16(), nibbles.GetUpper().AsUInt16()).Store(block + 2);
        }
    }

    /// <summary>The number that is farthest from zero, the first of several.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Farthest(float* x)
    {
        var (amax, max) = (0f, 0f);
        for (var i = 0; i < Length; i++)
        {
            var a = MathF.Abs(x[i]);
            if (amax < a)
            {
                (amax, max) = (a, x[i]);
            }
        }

        return max;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Nibble(float* x, Vector256<float> inverse) =>
        Vector256.Min(Vector256.ConvertToInt32((Vector256.Load(x) * inverse) + Vector256.Create(8.5f)), Vector256.Create(15));
}
