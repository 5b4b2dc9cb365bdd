using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Toolkit.Checkpoints;

/// <summary>32 numbers: a scale d (float16) and 8-bit q; y = q·d.</summary>
internal sealed unsafe class Q8_0() : BlockFormat(GgufType.Q8_0)
{
    private const int Length = 32;
    private const int Bytes = 34;

    public override bool CanQuantize => true;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Dequantize(byte* blocks, float* values, long count)
    {
        for (var i = 0L; i < count; i++)
        {
            var block = blocks + (i * Bytes);
            var y = values + (i * Length);
            var d = Vector256.Create(BlockVectors.Scale(block));
            BlockVectors.Store(Vector128.Load((sbyte*)block + 2), d, y);
            BlockVectors.Store(Vector128.Load((sbyte*)block + 18), d, y + 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Quantize(float* values, byte* blocks, long count)
    {
        for (var i = 0L; i < count; i++)
        {
            var block = blocks + (i * Bytes);
            var x = values + (i * Length);
            var (a, b, c, e) = (Vector256.Load(x), Vector256.Load(x + 8), Vector256.Load(x + 16), Vector256.Load(x + 24));
            var largest = Vector256.MaxNumber(Vector256.MaxNumber(Vector256.Abs(a), Vector256.Abs(b)), Vector256.MaxNumber(Vector256.Abs(c), Vector256.Abs(e)));
            var amax = 0f;
            for (var lane = 0; lane < Vector256<float>.Count; lane++)
            {
                amax = largest[lane] > amax ? largest[lane] : amax;
            }

            var d = amax / 127;
            var inverse = Vector256.Create(d != 0 ? 1 / d : 0);
            Unsafe.WriteUnaligned(block, (Half)d);
            var low = Vector256.Narrow(Rounded(a * inverse), Rounded(b * inverse));
            var high = Vector256.Narrow(Rounded(c * inverse), Rounded(e * inverse));
            Vector256.Narrow(low, high).Store((sbyte*)block + 2);
        }
    }

    /// <summary>To the nearest whole number, halves away from zero, as C's roundf.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Rounded(Vector256<float> x)
    {
        var whole = Vector256.Truncate(x);
        var away = Vector256.GreaterThanOrEqual(Vector256.Abs(x - whole), Vector256.Create(0.5f));
        return Vector256.ConvertToInt32(whole + Vector256.ConditionalSelect(away, Vector256.CopySign(Vector256<float>.One, x), Vector256<float>.Zero));
    }
}
