using System.Buffers.Binary;
using Toolkit.Checkpoints;

namespace Toolkit.Tests.Checkpoints;

/// <summary>The slow twin of the block formats: one number at a time, straight from the layout.</summary>
internal static class ScalarBlocks
{
    public static float[] Dequantize(GgufType type, ReadOnlySpan<byte> blocks)
    {
        var (length, bytes) = type switch
        {
            GgufType.Q8_0 => (32, 34),
            GgufType.Q4_0 => (32, 18),
            GgufType.Q4_1 => (32, 20),
            GgufType.Q5_0 => (32, 22),
            GgufType.Q5_1 => (32, 24),
            GgufType.Q4_K => (256, 144),
            GgufType.Q5_K => (256, 176),
            GgufType.Q6_K => (256, 210),
            _ => throw new ArgumentOutOfRangeException(nameof(type)),
        };
        var values = new List<float>();
        for (; blocks.Length > 0; blocks = blocks[bytes..])
        {
            for (var i = 0; i < length; i++)
            {
                values.Add(Number(type, blocks, i));
            }
        }

        return [.. values];
    }

    private static float Number(GgufType type, ReadOnlySpan<byte> b, int i) => type switch
    {
        GgufType.Q8_0 => (sbyte)b[2 + i] * Half(b, 0),
        GgufType.Q4_0 => (Nibble(b[2..], i) - 8) * Half(b, 0),
        GgufType.Q4_1 => (Nibble(b[4..], i) * Half(b, 0)) + Half(b, 2),
        GgufType.Q5_0 => ((Nibble(b[6..], i) | Bit(b[2..], i, 16)) - 16) * Half(b, 0),
        GgufType.Q5_1 => ((Nibble(b[8..], i) | Bit(b[4..], i, 16)) * Half(b, 0)) + Half(b, 2),
        GgufType.Q4_K => Part(b, i / 32, KNibble(b[16..], i)),
        GgufType.Q5_K => Part(b, i / 32, KNibble(b[48..], i) | (((b[16 + (i % 32)] >> (i / 32)) & 1) << 4)),
        _ => Half(b, 208) * (sbyte)b[192 + (i / 16)] * (SixBits(b, i) - 32),
    };

    private static float Half(ReadOnlySpan<byte> b, int at) => (float)BinaryPrimitives.ReadHalfLittleEndian(b[at..]);

    private static int Nibble(ReadOnlySpan<byte> b, int i) => i < 16 ? b[i] & 0xF : b[i - 16] >> 4;

    private static int Bit(ReadOnlySpan<byte> b, int i, int value) => ((b[i / 8] >> (i % 8)) & 1) * value;

    private static int KNibble(ReadOnlySpan<byte> b, int i) => i % 64 < 32 ? b[(i / 64 * 32) + (i % 32)] & 0xF : b[(i / 64 * 32) + (i % 32)] >> 4;

    private static float Part(ReadOnlySpan<byte> b, int part, int q)
    {
        var s = b[4..];
        var scale = part < 4 ? s[part] & 63 : (s[part + 4] & 0xF) | (s[part - 4] >> 6 << 4);
        var minimum = part < 4 ? s[part + 4] & 63 : (s[part + 4] >> 4) | (s[part] >> 6 << 4);
        return (Half(b, 0) * scale * q) - (Half(b, 2) * minimum);
    }

    private static int SixBits(ReadOnlySpan<byte> b, int i)
    {
        var (half, at) = (i / 128, i % 128);
        var low = b[(half * 64) + (at % 64)];
        return (at < 64 ? low & 0xF : low >> 4) | (((b[128 + (half * 32) + (at % 32)] >> (at / 32 * 2)) & 3) << 4);
    }
}
