using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Toolkit.Checkpoints;

/// <summary>
/// 256 numbers in eight parts of 32: a scale d and a minimum m (float16), for each part a scale s and a minimum t of 6 bits, and 4-bit q of two parts a byte;
/// y = (d·s)·q - m·t.
/// </summary>
internal sealed unsafe class Q4_K() : BlockFormat(GgufType.Q4_K)
{
    private const int Length = 256;
    private const int Bytes = 144;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Dequantize(byte* blocks, float* values, long count)
    {
        for (var i = 0L; i < count; i++)
        {
            var block = blocks + (i * Bytes);
            var numbers = values + (i * Length);
            var (d, m) = (BlockVectors.Scale(block), BlockVectors.Scale(block + 2));
            for (var part = 0; part < 8; part += 2)
            {
                var q = block + 16 + (part * 16);
                var y = numbers + (part * 32);
                var (a, b) = (Vector128.Load(q), Vector128.Load(q + 16));
                var (scale, minimum) = BlockVectors.SixBits(block + 4, part);
                var (slope, offset) = (Vector256.Create(d * scale), Vector256.Create(-(m * minimum)));
                BlockVectors.Store(BlockVectors.Low(a), slope, offset, y);
                BlockVectors.Store(BlockVectors.Low(b), slope, offset, y + 16);
                (scale, minimum) = BlockVectors.SixBits(block + 4, part + 1);
                (slope, offset) = (Vector256.Create(d * scale), Vector256.Create(-(m * minimum)));
                BlockVectors.Store(BlockVectors.High(a), slope, offset, y + 32);
                BlockVectors.Store(BlockVectors.High(b), slope, offset, y + 48);
            }
        }
    }
}
