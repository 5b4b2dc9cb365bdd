using System.Buffers.Binary;
using System.Text;

namespace Toolkit.Text;

/// <summary>
/// The compiled replacements of a SentencePiece vocabulary: a double array of the texts that are replaced (Yata's darts-clone: bits of a unit are the
/// offset to its children, the label, and whether it ends a text) and, after it, what replaces them, each ended by a zero.
/// </summary>
internal sealed class CharacterMap
{
    private readonly byte[] _data;
    private readonly int _units;

    /// <param name="data">The length of the double array in bytes (32 bits, little-endian), the array, the replacements.</param>
    /// <exception cref="InvalidDataException">The array is longer than the data, or no array.</exception>
    public CharacterMap(byte[] data)
    {
        if (data.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(data) is var size && (size > data.Length - 4 || size % 4 != 0 || size == 0))
        {
            throw new InvalidDataException($"the precompiled character map of {data.Length} bytes is cut short");
        }

        _data = data;
        _units = (int)(size / 4);
    }

    /// <summary>The bytes it was made from.</summary>
    public ReadOnlySpan<byte> Data => _data;

    /// <summary>Reads <c>precompiled_charsmap</c>, base 64; null where it is empty: then nothing is replaced.</summary>
    public static CharacterMap? Read(JsonFields json)
    {
        try
        {
            var text = json.TextOr("precompiled_charsmap", "")!;
            return text.Length == 0 ? null : new(Convert.FromBase64String(text));
        }
        catch (FormatException problem)
        {
            throw new InvalidDataException($"{json.Path}.precompiled_charsmap is not base 64: {problem.Message}", problem);
        }
    }

    /// <summary>What replaces the longest (or the shortest) beginning of a text that has a replacement.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="shortest">Whether the shortest beginning is wanted.</param>
    /// <param name="length">Bytes that are replaced; 0 if none.</param>
    public ReadOnlySpan<byte> Replacement(ReadOnlySpan<byte> text, bool shortest, out int length)
    {
        length = 0;
        var value = -1;
        var node = Offset(Unit(0));
        for (var i = 0; i < text.Length; i++)
        {
            node ^= text[i];
            if (node >= (uint)_units || Unit(node) is var unit && (unit & 0x800000FF) != text[i])
            {
                break;
            }

            node ^= Offset(unit);
            if ((unit & 0x100) != 0 && node < (uint)_units)
            {
                (length, value) = (i + 1, (int)(Unit(node) & 0x7FFFFFFF));
                if (shortest)
                {
                    break;
                }
            }
        }

        var replacements = _data.AsSpan(4 + (_units * 4));
        if (value < 0 || value > replacements.Length)
        {
            length = 0;
            return [];
        }

        var end = replacements[value..].IndexOf((byte)0);
        return end < 0 ? replacements[value..] : replacements.Slice(value, end);
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);

    private uint Unit(uint index) => BinaryPrimitives.ReadUInt32LittleEndian(_data.AsSpan(4 + ((int)index * 4)));
}
