using System.Buffers.Binary;
using System.Text;

namespace Toolkit.Checkpoints;

/// <summary>
/// Where the entries of a zip file lie that are stored as they are: .NET's ZipArchive gives streams, and tensors are to be mapped. See
/// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT. Checksums are not read: that would read the whole file.
/// </summary>
internal sealed class ZipDirectory
{
    private const int EndLength = 22;
    private const int End64Length = 56;
    private const int Locator64Length = 20;
    private const int EntryLength = 46;
    private const int LocalLength = 30;
    private const int LongestComment = ushort.MaxValue;
    private const ushort Zip64Field = 1;

    private readonly Stream _stream;
    private readonly string _path;
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    private ZipDirectory(Stream stream, string path)
    {
        _stream = stream;
        _path = path;
    }

    public IReadOnlyCollection<string> Names => _entries.Keys;

    public static ZipDirectory Read(Stream stream, string path)
    {
        var zip = new ZipDirectory(stream, path);
        var (start, length) = zip.FindDirectory();
        zip.ReadEntries(zip.Bytes(start, length, "the directory of the zip file"));
        return zip;
    }

    /// <summary>Where the content of an entry begins, and its length.</summary>
    public (long Offset, long Length) Find(string name)
    {
        var entry = _entries.GetValueOrDefault(name) ?? throw CheckpointException.In(_path, $"the zip file has no entry \"{CheckpointException.Shorten(name)}\"");
        if (entry.Method != 0 || entry.Stored != entry.Length)
        {
            throw Damaged($"entry \"{CheckpointException.Shorten(name)}\" is compressed, which torch.save never does");
        }

        var local = Bytes(entry.Header, LocalLength, "the header of a zip entry").AsSpan();
        if (BinaryPrimitives.ReadUInt32LittleEndian(local) != 0x04034B50)
        {
            throw Damaged($"entry \"{CheckpointException.Shorten(name)}\" is not where the directory says");
        }

        var offset = entry.Header + LocalLength + BinaryPrimitives.ReadUInt16LittleEndian(local[26..]) + BinaryPrimitives.ReadUInt16LittleEndian(local[28..]);
        return entry.Length <= _stream.Length - offset
            ? (offset, entry.Length)
            : throw Damaged($"entry \"{CheckpointException.Shorten(name)}\" of {entry.Length} bytes ends behind the file");
    }

    /// <summary>The content of an entry.</summary>
    public byte[] Content(string name)
    {
        var (offset, length) = Find(name);
        return Bytes(offset, length, $"entry \"{CheckpointException.Shorten(name)}\"");
    }

    private (long Start, long Length) FindDirectory()
    {
        var tail = (int)Math.Min(_stream.Length, EndLength + LongestComment);
        var bytes = Bytes(_stream.Length - tail, tail, "the end of the zip file").AsSpan();
        for (var at = bytes.Length - EndLength; at >= 0; at--)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]) == 0x06054B50)
            {
                var (length, start) = (BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at + 12)..]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at + 16)..]));
                var needs64 = length == uint.MaxValue || start == uint.MaxValue || BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 10)..]) == ushort.MaxValue;
                return needs64 && FindDirectory64(_stream.Length - tail + at) is { } found ? found : (start, length);
            }
        }

        throw CheckpointException.In(_path, "it has no directory, so it is no zip file or is cut off");
    }

    private (long Start, long Length)? FindDirectory64(long end)
    {
        if (end < Locator64Length)
        {
            return null;
        }

        var locator = Bytes(end - Locator64Length, Locator64Length, "the end of the zip file").AsSpan();
        if (BinaryPrimitives.ReadUInt32LittleEndian(locator) != 0x07064B50)
        {
            return null;
        }

        var record = Bytes(BinaryPrimitives.ReadInt64LittleEndian(locator[8..]), End64Length, "the end of the zip file").AsSpan();
        return BinaryPrimitives.ReadUInt32LittleEndian(record) == 0x06064B50
            ? (BinaryPrimitives.ReadInt64LittleEndian(record[48..]), BinaryPrimitives.ReadInt64LittleEndian(record[40..]))
            : throw Damaged("its 64-bit directory is not where the end says");
    }

    private void ReadEntries(ReadOnlySpan<byte> directory)
    {
        while (directory.Length > 0)
        {
            if (directory.Length < EntryLength || BinaryPrimitives.ReadUInt32LittleEndian(directory) != 0x02014B50)
            {
                throw Damaged("its directory is malformed");
            }

            var (name, extra, comment) = (Short(directory, 28), Short(directory, 30), Short(directory, 32));
            if (EntryLength + name + extra + comment > directory.Length)
            {
                throw Damaged("its directory is malformed");
            }

            var text = Encoding.UTF8.GetString(directory.Slice(EntryLength, name));
            if (!_entries.TryAdd(text, ReadEntry(directory, directory.Slice(EntryLength + name, extra))))
            {
                throw Damaged($"entry \"{CheckpointException.Shorten(text)}\" is there twice");
            }

            directory = directory[(EntryLength + name + extra + comment)..];
        }
    }

    private Entry ReadEntry(ReadOnlySpan<byte> entry, ReadOnlySpan<byte> extra)
    {
        Span<long> numbers = [BinaryPrimitives.ReadUInt32LittleEndian(entry[24..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[20..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[42..])];
        while (extra.Length >= 4)
        {
            var (kind, length) = (Short(extra, 0), Short(extra, 2));
            var field = extra[4..Math.Min(extra.Length, 4 + length)];
            for (var i = 0; kind == Zip64Field && i < numbers.Length; i++)
            {
                // The field has only those numbers that do not fit into 32 bits.
                if (numbers[i] == uint.MaxValue && field.Length >= sizeof(long))
                {
                    numbers[i] = BinaryPrimitives.ReadInt64LittleEndian(field);
                    field = field[sizeof(long)..];
                }
            }

            extra = extra[Math.Min(extra.Length, 4 + length)..];
        }

        return numbers[0] >= 0 && numbers[1] >= 0 && numbers[2] >= 0
            ? new(Short(entry, 10), numbers[0], numbers[1], numbers[2])
            : throw Damaged("its directory is malformed");
    }

    private static int Short(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private byte[] Bytes(long start, long length, string what)
    {
        if (start < 0 || length < 0 || length > Array.MaxLength || start > _stream.Length - length)
        {
            throw Damaged($"{what} ({length} bytes from {start}) is not in the file of {_stream.Length}");
        }

        var bytes = new byte[length];
        _stream.Position = start;
        _stream.ReadExactly(bytes);
        return bytes;
    }

    private CheckpointException Damaged(string problem) => CheckpointException.In(_path, $"{problem}: it is damaged, or was not written by torch.save");

    private sealed record Entry(int Method, long Length, long Stored, long Header);
}
