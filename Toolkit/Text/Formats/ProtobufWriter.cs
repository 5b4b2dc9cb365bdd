using System.Text;

namespace Toolkit.Text;

/// <summary>Writes the fields of a protobuf message.</summary>
internal sealed class ProtobufWriter
{
    private readonly MemoryStream _stream = new();

    /// <summary>The message.</summary>
    public byte[] Content => _stream.ToArray();

    public void Number(int field, int value)
    {
        Varint((ulong)field << 3);
        Varint((ulong)(long)value);
    }

    public void Flag(int field, bool value) => Number(field, value ? 1 : 0);

    public void Float(int field, float value)
    {
        Varint(((ulong)field << 3) | 5);
        _stream.Write(BitConverter.GetBytes(value));
    }

    public void Text(int field, string text) => Bytes(field, Encoding.UTF8.GetBytes(text));

    public void Bytes(int field, ReadOnlySpan<byte> bytes)
    {
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)bytes.Length);
        _stream.Write(bytes);
    }

    private void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            _stream.WriteByte((byte)(value | 0x80));
        }

        _stream.WriteByte((byte)value);
    }
}
