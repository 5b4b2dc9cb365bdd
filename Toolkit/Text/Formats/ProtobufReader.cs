using System.Buffers.Binary;
using System.Text;

namespace Toolkit.Text;

/// <summary>Reads the fields of a protobuf message one by one, as far as SentencePiece uses the format; nothing is copied that is not asked for.</summary>
/// <param name="data">The message.</param>
internal ref struct ProtobufReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> _rest = data;
    private ReadOnlySpan<byte> _bytes;
    private ulong _number;

    /// <summary>The number of the current field.</summary>
    public int Field { get; private set; }

    /// <summary>How the current field is written: 0 a number, 1 eight bytes, 2 bytes, 5 four bytes.</summary>
    public int Wire { get; private set; }

    /// <summary>The bytes of the current field.</summary>
    public readonly ReadOnlySpan<byte> Bytes => Wire == 2 ? _bytes : throw Wrong("bytes");

    /// <summary>The text of the current field.</summary>
    public readonly string Text => System.Text.Unicode.Utf8.IsValid(Bytes) ? Encoding.UTF8.GetString(Bytes) : throw new InvalidDataException($"field {Field} is no UTF-8");

    /// <summary>The whole number in the current field.</summary>
    public readonly int Number => Wire == 0 ? (int)(long)_number : throw Wrong("a number");

    /// <summary>True or false in the current field.</summary>
    public readonly bool Flag => Number != 0;

    /// <summary>The 32-bit float in the current field.</summary>
    public readonly float Float => Wire == 5 ? BitConverter.Int32BitsToSingle((int)_number) : throw Wrong("a float");

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="InvalidDataException">The message is cut short or no protobuf.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var tag = Varint();
        (Field, Wire) = ((int)Math.Min(tag >> 3, int.MaxValue), (int)(tag & 7));
        switch (Wire)
        {
            case 0:
                _number = Varint();
                break;
            case 1:
                _number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                var length = Varint();
                _bytes = Take(length <= int.MaxValue ? (int)length : int.MaxValue);
                break;
            case 5:
                _number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw new InvalidDataException($"a field of wire type {Wire}: this is no SentencePiece model");
        }

        return true;
    }

    private ulong Varint()
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var part = Take(1)[0];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("a number of more than ten bytes: this is no SentencePiece model");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
        {
            throw new InvalidDataException($"it ends {count - _rest.Length} bytes too early");
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    private readonly InvalidDataException Wrong(string wanted) => new($"field {Field} is not {wanted}");
}
