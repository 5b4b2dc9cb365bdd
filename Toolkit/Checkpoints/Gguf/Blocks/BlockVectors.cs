using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Toolkit.Checkpoints;

/// <summary>What the block formats have in common: small whole numbers in vectors, to float32.</summary>
internal static unsafe class BlockVectors
{
    /// <summary>A scale as the formats store it, at any address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* half) => (float)Unsafe.ReadUnaligned<Half>(half);

    /// <summary><c>y = q·scale</c> for 16 numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<sbyte> q, Vector256<float> scale, float* y)
    {
        var wide = Vector256.WidenLower(q.ToVector256Unsafe()); // 16 of int16
        (Vector256.ConvertToSingle(Vector256.WidenLower(wide)) * scale).Store(y);
        (Vector256.ConvertToSingle(Vector256.WidenUpper(wide)) * scale).Store(y + 8);
    }

    /// <summary><c>y = q·scale + offset</c> for 16 numbers, rounded twice as in ggml.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<byte> q, Vector256<float> scale, Vector256<float> offset, float* y)
    {
        var wide = Vector256.WidenLower(q.AsSByte().ToVector256Unsafe());
        ((Vector256.ConvertToSingle(Vector256.WidenLower(wide)) * scale) + offset).Store(y);
        ((Vector256.ConvertToSingle(Vector256.WidenUpper(wide)) * scale) + offset).Store(y + 8);
    }

    /// <summary>The low four bits of each byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Low(Vector128<byte> bytes) => bytes & Vector128.Create((byte)0xF);

    /// <summary>The high four bits of each byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> High(Vector128<byte> bytes) => Vector128.ShiftRightLogical(bytes, 4);

    /// <summary>16 where a bit of <paramref name="bits"/> is set, bit i for byte i; 0 elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> FifthBit(uint bits)
    {
        var spread = Vector128.Shuffle(Vector128.CreateScalar(bits).AsByte(), Vector128.Create((byte)0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
        var single = Vector128.Create(0x8040201008040201ul).AsByte();
        return Vector128.Equals(spread & single, single) & Vector128.Create((byte)16);
    }

    /// <summary>The scale and the minimum of part <paramref name="part"/> (0 to 7), six bits each, of the twelve bytes that hold eight of both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (int Scale, int Minimum) SixBits(byte* packed, int part) => part < 4
        ? (packed[part] & 63, packed[part + 4] & 63)
        : ((packed[part + 4] & 0xF) | (packed[part - 4] >> 6 << 4), (packed[part + 4] >> 4) | (packed[part] >> 6 << 4));
}
