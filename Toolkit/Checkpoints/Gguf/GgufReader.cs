using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Toolkit.Checkpoints;

/// <summary>Reads the values of a GGUF header one after the other; nothing is allocated that the rest of the file could not fill.</summary>
internal sealed class GgufReader(Stream stream, string path)
{
    private const int DeepestArray = 8;
    private const int ShortText = 256;
    private readonly long _length = stream.Length;

    public long Position { get; private set; }

    private long Left => _length - Position;

    public T Read<T>(string what)
        where T : unmanaged
    {
        var value = default(T);
        Fill(MemoryMarshal.AsBytes(new Span<T>(ref value)), what);
        return value;
    }

    /// <summary>How many of something follow, of which each takes at least so many bytes.</summary>
    public int Count(string what, int shortest)
    {
        var count = Read<ulong>($"the number of {what}");
        return count <= (ulong)Left / (ulong)shortest && count <= (ulong)Array.MaxLength
            ? (int)count
            : throw CheckpointException.In(path, $"{count} {what} are announced, the {Left} bytes that follow cannot hold them: it is cut off or damaged");
    }

    public string Text(string what)
    {
        var length = Count($"bytes of {what}", 1);
        if (length == 0)
        {
            return "";
        }

        // Vocabularies have hundreds of thousands of short texts.
        Span<byte> bytes = length <= ShortText ? stackalloc byte[ShortText] : new byte[length];
        bytes = bytes[..length];
        Fill(bytes, what);
        return Encoding.UTF8.GetString(bytes);
    }

    public object Value(string key)
    {
        var what = $"the metadata \"{CheckpointException.Shorten(key)}\"";
        return Value((GgufValueType)Read<uint>(what), what, 0);
    }

    private object Value(GgufValueType type, string what, int depth) => type switch
    {
        GgufValueType.Byte => Read<byte>(what),
        GgufValueType.SByte => Read<sbyte>(what),
        GgufValueType.UInt16 => Read<ushort>(what),
        GgufValueType.Int16 => Read<short>(what),
        GgufValueType.UInt32 => Read<uint>(what),
        GgufValueType.Int32 => Read<int>(what),
        GgufValueType.Single => Read<float>(what),
        GgufValueType.Bool => Flag(Read<byte>(what), what),
        GgufValueType.Text => Text(what),
        GgufValueType.Array => Items(what, depth + 1),
        GgufValueType.UInt64 => Read<ulong>(what),
        GgufValueType.Int64 => Read<long>(what),
        GgufValueType.Double => Read<double>(what),
        _ => throw CheckpointException.In(path, $"{what} is of type {(uint)type}, which is not known"),
    };

    private Array Items(string what, int depth)
    {
        if (depth > DeepestArray)
        {
            throw CheckpointException.In(path, $"{what} has arrays {depth} deep, {DeepestArray} are the most");
        }

        var type = (GgufValueType)Read<uint>(what);
        return type switch
        {
            GgufValueType.Byte => Numbers<byte>(what),
            GgufValueType.SByte => Numbers<sbyte>(what),
            GgufValueType.UInt16 => Numbers<ushort>(what),
            GgufValueType.Int16 => Numbers<short>(what),
            GgufValueType.UInt32 => Numbers<uint>(what),
            GgufValueType.Int32 => Numbers<int>(what),
            GgufValueType.Single => Numbers<float>(what),
            GgufValueType.Bool => Array.ConvertAll(Numbers<byte>(what), value => Flag(value, what)),
            GgufValueType.Text => Each(Count($"texts of {what}", sizeof(ulong)), () => Text(what)),
            GgufValueType.Array => Each(Count($"arrays of {what}", sizeof(uint) + sizeof(ulong)), () => Items(what, depth + 1)),
            GgufValueType.UInt64 => Numbers<ulong>(what),
            GgufValueType.Int64 => Numbers<long>(what),
            GgufValueType.Double => Numbers<double>(what),
            _ => throw CheckpointException.In(path, $"{what} is an array of type {(uint)type}, which is not known"),
        };
    }

    private T[] Numbers<T>(string what)
        where T : unmanaged
    {
        var items = new T[Count($"numbers of {what}", Unsafe.SizeOf<T>())];
        Fill(MemoryMarshal.AsBytes(items.AsSpan()), what);
        return items;
    }

    private static T[] Each<T>(int count, Func<T> read)
    {
        var items = new T[count];
        for (var i = 0; i < count; i++)
        {
            items[i] = read();
        }

        return items;
    }

    private bool Flag(byte value, string what) => value switch
    {
        0 => false,
        1 => true,
        _ => throw CheckpointException.In(path, $"{what} is {value}, not true (1) or false (0)"),
    };

    private void Fill(Span<byte> bytes, string what)
    {
        if (bytes.Length > Left)
        {
            throw CheckpointException.In(path, $"it ends within {what}, at byte {_length}: it is cut off or damaged");
        }

        stream.ReadExactly(bytes);
        Position += bytes.Length;
    }
}
