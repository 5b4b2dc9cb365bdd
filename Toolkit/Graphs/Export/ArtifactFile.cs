using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Toolkit.Checkpoints;

namespace Toolkit.Graphs;

/// <summary>
/// The file of an artifact: a mark and the format's number; entries, each at a multiple of 64 bytes; a description as JSON, with place and checksum of every entry; and at the end
/// place and checksum of the description. Nothing in it is used before its checksum was found right, and no byte is without one.
/// </summary>
internal sealed class ArtifactFile : IDisposable
{
    /// <summary>The format that is written, and the newest that is read.</summary>
    public const int Format = 1;

    /// <summary>Entries begin at multiples of it.</summary>
    public const int Alignment = 64;

    private const int HeadLength = 16;
    private const int TailLength = 56;
    private const int MostDescription = 1 << 28;
    private readonly Dictionary<string, ArtifactManifest.EntryPart> _entries;

    private ArtifactFile(string path, SafeFileHandle handle, ArtifactManifest manifest)
    {
        (Path, Handle, Manifest) = (path, handle, manifest);
        _entries = manifest.Entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>The open file.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>What it says of itself.</summary>
    public ArtifactManifest Manifest { get; }

    private static ReadOnlySpan<byte> Mark => "TKX\r\n\u001a\n\0"u8;

    /// <summary>Writes a file; it appears when it is complete.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="entries">What goes into it.</param>
    /// <param name="describe">The description, from the list of entries.</param>
    public static void Write(string path, IReadOnlyList<(string Name, Action<Stream> Write)> entries, Func<IReadOnlyList<ArtifactManifest.EntryPart>, ArtifactManifest> describe)
    {
        using var pending = PendingFile.Write(path, 0, file =>
        {
            file.Write(Head());
            var parts = new List<ArtifactManifest.EntryPart>();
            foreach (var (name, write) in entries)
            {
                Pad(file);
                var begin = file.Position;
                using var hash = SHA256.Create();
                using (var hashing = new CryptoStream(file, hash, CryptoStreamMode.Write, leaveOpen: true))
                {
                    write(hashing);
                }

                parts.Add(new(name, begin, file.Position - begin, Convert.ToHexStringLower(hash.Hash!)));
            }

            Pad(file);
            var description = describe(parts).ToJson();
            var tail = new byte[TailLength];
            BinaryPrimitives.WriteInt64LittleEndian(tail, file.Position);
            BinaryPrimitives.WriteInt64LittleEndian(tail.AsSpan(8), description.Length);
            SHA256.HashData(description, tail.AsSpan(16));
            Mark.CopyTo(tail.AsSpan(48));
            file.Write(description);
            file.Write(tail);
        });
        pending.Commit();
    }

    /// <summary>Opens a file and checks every byte of it.</summary>
    /// <exception cref="CompiledArtifactException">It is no artifact, a newer one, or damaged.</exception>
    public static ArtifactFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            var manifest = ReadManifest(path, handle);
            Verify(path, handle, manifest.Manifest, manifest.Offset);
            return new(path, handle, manifest.Manifest);
        }
        catch (Exception problem)
        {
            handle?.Dispose();
            throw problem is CompiledArtifactException or OutOfMemoryException ? problem : CompiledArtifactException.In(path, $"it cannot be read: {FileProblem.Of(path, problem)}", problem);
        }
    }

    /// <summary>An entry.</summary>
    /// <exception cref="CompiledArtifactException">There is none of that name.</exception>
    public ArtifactManifest.EntryPart Entry(string name) => _entries.GetValueOrDefault(name) ?? throw CompiledArtifactException.In(Path, $"there is no \"{name}\" in it");

    /// <summary>The bytes of an entry.</summary>
    public byte[] Read(string name)
    {
        var entry = Entry(name);
        return Read(Handle, entry.Offset, checked((int)entry.Length));
    }

    /// <summary>The text of an entry.</summary>
    public string ReadText(string name) => Encoding.UTF8.GetString(Read(name));

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();

    private static byte[] Head()
    {
        var head = new byte[HeadLength];
        Mark.CopyTo(head);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(8), Format);
        return head;
    }

    private static (ArtifactManifest Manifest, long Offset) ReadManifest(string path, SafeFileHandle handle)
    {
        var length = RandomAccess.GetLength(handle);
        var head = Read(handle, 0, (int)Math.Min(length, HeadLength));
        if (head.Length < HeadLength || !head.AsSpan(0, 8).SequenceEqual(Mark))
        {
            throw CompiledArtifactException.In(path, "it is no saved compiled module");
        }

        var format = BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(8));
        if (format > Format)
        {
            throw CompiledArtifactException.In(path, $"its format is {format}, and this Toolkit reads formats up to {Format}: it needs a newer one (or is damaged)");
        }

        var tail = length < HeadLength + TailLength ? [] : Read(handle, length - TailLength, TailLength);
        if (tail.Length == 0 || !tail.AsSpan(48).SequenceEqual(Mark) || !head.AsSpan().SequenceEqual(Head()))
        {
            throw CompiledArtifactException.In(path, "it is cut off or damaged");
        }

        var (offset, size) = (BinaryPrimitives.ReadInt64LittleEndian(tail), BinaryPrimitives.ReadInt64LittleEndian(tail.AsSpan(8)));
        if (size is < 0 or > MostDescription || offset < HeadLength || offset != length - TailLength - size)
        {
            throw CompiledArtifactException.In(path, "it is damaged: the place of its description is wrong");
        }

        var description = Read(handle, offset, (int)size);
        if (!SHA256.HashData(description).AsSpan().SequenceEqual(tail.AsSpan(16, 32)))
        {
            throw CompiledArtifactException.In(path, "it is damaged: the checksum of its description is wrong");
        }

        try
        {
            return (ArtifactManifest.FromJson(description), offset);
        }
        catch (Exception problem) when (problem is JsonException or NotSupportedException or InvalidOperationException)
        {
            throw CompiledArtifactException.In(path, $"its description cannot be read: {problem.Message}", problem);
        }
    }

    /// <summary>Entries follow each other with nothing but zeros between them, and each has its checksum.</summary>
    private static void Verify(string path, SafeFileHandle handle, ArtifactManifest manifest, long end)
    {
        var position = (long)HeadLength;
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in manifest.Entries)
        {
            if (!names.Add(entry.Name) || entry.Length < 0 || entry.Offset != Aligned(position) || entry.Length > end - entry.Offset)
            {
                throw CompiledArtifactException.In(path, $"it is damaged: the place of \"{entry.Name}\" is wrong");
            }

            RequireZeros(path, handle, position, entry.Offset);
            position = entry.Offset + entry.Length;
            if (Hash(handle, entry.Offset, entry.Length) != entry.Sha256)
            {
                throw CompiledArtifactException.In(path, $"it is damaged: the checksum of \"{entry.Name}\" is wrong");
            }
        }

        if (Aligned(position) != end)
        {
            throw CompiledArtifactException.In(path, "it is damaged: there is something between its entries and its description");
        }

        RequireZeros(path, handle, position, end);
    }

    /// <summary>The checksum of a part of a file.</summary>
    public static string Hash(SafeFileHandle handle, long offset, long length)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        for (var done = 0L; done < length;)
        {
            var count = RandomAccess.Read(handle, buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - done)), offset + done);
            if (count == 0)
            {
                throw new EndOfStreamException("the file became shorter while it was read");
            }

            hash.AppendData(buffer, 0, count);
            done += count;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void RequireZeros(string path, SafeFileHandle handle, long begin, long end)
    {
        if (Read(handle, begin, (int)(end - begin)).AsSpan().ContainsAnyExcept((byte)0))
        {
            throw CompiledArtifactException.In(path, "it is damaged: there is something between its entries");
        }
    }

    private static byte[] Read(SafeFileHandle handle, long offset, int length)
    {
        var bytes = new byte[length];
        for (var done = 0; done < length;)
        {
            var count = RandomAccess.Read(handle, bytes.AsSpan(done), offset + done);
            done += count > 0 ? count : throw new EndOfStreamException("the file became shorter while it was read");
        }

        return bytes;
    }

    private static long Aligned(long position) => (position + Alignment - 1) / Alignment * Alignment;

    private static void Pad(Stream file) => file.Write(new byte[Aligned(file.Position) - file.Position]);
}
