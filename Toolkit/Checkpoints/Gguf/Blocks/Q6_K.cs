using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Toolkit.Checkpoints;

/// <summary>
/// 256 numbers in sixteen parts of 16: 4 low bits, 2 high bits, for each part a scale s of 8 bits, and a scale d (float16); y = (d·s)·(q - 32). Each half of
/// the block has 64 bytes of low bits (numbers 0 to 63 low, 64 to 127 high) and 32 bytes of high bits (number i in bits 2·(i / 32) of byte i mod 32).
/// </summary>
internal sealed unsafe class Q6_K() : BlockFormat(GgufType.Q6_K)
{
    private const int Length = 256;
    private const int Bytes = 210;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Dequantize(byte* blocks, float* values, long count)
    {
        for (var i = 0L; i < count; i++)
        {
            var block = blocks + (i * Bytes);
            var numbers = values + (i * Length);
            var d = BlockVectors.Scale(block + 208);
            for (var half = 0; half < 2; half++)
            {
                var low = block + (half * 64);
                var high = block + 128 + (half * 32);
                var scales = (sbyte*)block + 192 + (half * 8);
                var y = numbers + (half * 128);
                for (var at = 0; at < 32; at += 16)
                {
                    var (a, b, h) = (Vector128.Load(low + at), Vector128.Load(low + 32 + at), Vector128.Load(high + at));
                    var s = scales + (at / 16);
                    Store(BlockVectors.Low(a), h, 0, d * s[0], y + at);
                    Store(BlockVectors.Low(b), h, 2, d * s[2], y + 32 + at);
                    Store(BlockVectors.High(a), h, 4, d * s[4], y + 64 + at);
                    Store(BlockVectors.High(b), h, 6, d * s[6], y + 96 + at);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector128<byte> low, Vector128<byte> high, int shift, float scale, float* y)
    {
        var upper = Vector128.ShiftLeft(Vector128.ShiftRightLogical(high, shift) & Vector128.Create((byte)3), 4);
        BlockVectors.Store((low | upper).AsSByte() - Vector128.Create((sbyte)32), Vector256.Create(scale), y);
    }
}
