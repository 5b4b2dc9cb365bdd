using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Toolkit.Checkpoints;

/// <summary>32 numbers: a scale d and a minimum m (float16), and 4-bit q, those of the second half in the high bits; y = q·d + m.</summary>
internal sealed unsafe class Q4_1() : BlockFormat(GgufType.Q4_1)
{
    private const int Length = 32;
    private const int Bytes = 20;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Dequantize(byte* blocks, float* values, long count)
    {
        for (var i = 0L; i < count; i++)
        {
            var block = blocks + (i * Bytes);
            var y = values + (i * Length);
            var (d, m) = (Vector256.Create(BlockVectors.Scale(block)), Vector256.Create(BlockVectors.Scale(block + 2)));
            var q = Vector128.Load(block + 4);
            BlockVectors.Store(BlockVectors.Low(q), d, m, y);
            BlockVectors.Store(BlockVectors.High(q), d, m, y + 16);
        }
    }
}
