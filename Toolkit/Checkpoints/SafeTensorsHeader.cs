using System.Buffers.Binary;
using System.Text.Json;

namespace Toolkit.Checkpoints;

/// <summary>
/// The header of a safetensors file, completely checked: whatever passes describes tensors that tile the data of the file without
/// a gap or an overlap. See https://github.com/huggingface/safetensors#format.
/// </summary>
internal sealed class SafeTensorsHeader
{
    public const int PrefixLength = 8;
    public const int LongestHeader = 100_000_000;
    public const string MetadataName = "__metadata__";
    public const int MostDimensions = 64;

    private SafeTensorsHeader(Dictionary<string, TensorEntry> entries, Dictionary<string, string> metadata, long dataStart)
    {
        Entries = entries;
        Metadata = metadata;
        DataStart = dataStart;
    }

    public Dictionary<string, TensorEntry> Entries { get; }

    public Dictionary<string, string> Metadata { get; }

    /// <summary>Where the data begins in the file.</summary>
    public long DataStart { get; }

    /// <summary>Reads and checks the header at the start of <paramref name="stream"/>, whose length is the file's.</summary>
    public static SafeTensorsHeader Read(Stream stream, string file)
    {
        var fileLength = stream.Length;
        if (fileLength < PrefixLength)
        {
            throw CheckpointException.In(file, $"{fileLength} bytes are too few for a safetensors file, which begins with a length of {PrefixLength} bytes");
        }

        Span<byte> prefix = stackalloc byte[PrefixLength];
        stream.ReadExactly(prefix);
        var json = new byte[Length(prefix, fileLength, file)];
        stream.ReadExactly(json);
        return Parse(json, fileLength, file);
    }

    /// <summary>The header's length, out of the first eight bytes of a file of <paramref name="fileLength"/> bytes.</summary>
    public static int Length(ReadOnlySpan<byte> prefix, long fileLength, string file)
    {
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > LongestHeader)
        {
            throw CheckpointException.In(file, $"a header of {length} bytes is announced, {LongestHeader} are the most that the format allows");
        }

        if (length > (ulong)(fileLength - PrefixLength))
        {
            throw CheckpointException.In(file, $"a header of {length} bytes is announced, the file has {fileLength - PrefixLength} after the length: it is cut off or damaged");
        }

        return (int)length;
    }

    /// <summary>Checks <paramref name="json"/>, the header of a file of <paramref name="fileLength"/> bytes.</summary>
    public static SafeTensorsHeader Parse(ReadOnlySpan<byte> json, long fileLength, string file)
    {
        if (json.Length == 0 || json[0] != (byte)'{')
        {
            throw CheckpointException.In(file, "the header does not begin with '{'");
        }

        var entries = new Dictionary<string, TensorEntry>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            var reader = new Utf8JsonReader(json);
            ReadRoot(ref reader, file, entries, metadata);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: how Utf8JsonReader.GetString reports text that is not UTF-8.
            throw CheckpointException.In(file, $"the header is not valid JSON: {error.Message}", error);
        }

        var dataStart = PrefixLength + json.Length;
        CheckTiling(entries, fileLength - dataStart, file);
        return new(entries, metadata, dataStart);
    }

    private static void ReadRoot(ref Utf8JsonReader reader, string file, Dictionary<string, TensorEntry> entries, Dictionary<string, string> metadata)
    {
        reader.Read();
        var hasMetadata = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name != MetadataName)
            {
                if (!entries.TryAdd(name, ReadEntry(ref reader, file, name)))
                {
                    throw CheckpointException.In(file, name, "the header lists this name twice");
                }
            }
            else if (hasMetadata)
            {
                throw CheckpointException.In(file, $"the header lists {MetadataName} twice");
            }
            else
            {
                hasMetadata = true;
                ReadMetadata(ref reader, file, metadata);
            }
        }

        // One more read: it throws where anything but white space follows the closing brace.
        reader.Read();
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, string file, Dictionary<string, string> metadata)
    {
        if (reader.TokenType == JsonTokenType.Null)
        {
            return;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw CheckpointException.In(file, $"{MetadataName} is not an object");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw CheckpointException.In(file, $"{MetadataName} \"{CheckpointException.Shorten(key)}\" is not a string");
            }

            if (!metadata.TryAdd(key, reader.GetString()!))
            {
                throw CheckpointException.In(file, $"{MetadataName} lists \"{CheckpointException.Shorten(key)}\" twice");
            }
        }
    }

    private static TensorEntry ReadEntry(ref Utf8JsonReader reader, string file, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw CheckpointException.In(file, name, "its entry in the header is not an object");
        }

        ElementType? type = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var field = reader.GetString()!;
            reader.Read();
            switch (field)
            {
                case "dtype" when type is null:
                    type = ReadType(ref reader, file, name);
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, file, name, field, MostDimensions);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, file, name, field, 2);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw CheckpointException.In(file, name, $"its entry has {field} twice");
                default:
                    reader.Skip();
                    break;
            }
        }

        if (type is null || shape is null || offsets is not { Length: 2 })
        {
            var missing = type is null ? "dtype" : shape is null ? "shape" : "data_offsets of two numbers";
            throw CheckpointException.In(file, name, $"its entry in the header lacks {missing}");
        }

        CheckSize(type, shape, offsets, file, name);
        return new(type, shape, offsets[0], offsets[1]);
    }

    private static ElementType ReadType(ref Utf8JsonReader reader, string file, string name)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw CheckpointException.In(file, name, "its dtype is not a string");
        }

        var text = reader.GetString()!;
        return ElementType.Find(text) ?? throw CheckpointException.In(file, name, $"dtype \"{CheckpointException.Shorten(text)}\" is not known");
    }

    private static long[] ReadNumbers(ref Utf8JsonReader reader, string file, string name, string field, int most)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw CheckpointException.In(file, name, $"its {field} is not an array");
        }

        var numbers = new List<long>(4);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetUInt64(out var number) || number > long.MaxValue)
            {
                throw CheckpointException.In(file, name, $"its {field} holds something else than whole numbers from 0 to {long.MaxValue}");
            }

            if (numbers.Count == most)
            {
                throw CheckpointException.In(file, name, $"its {field} has more than {most} numbers");
            }

            numbers.Add((long)number);
        }

        return [.. numbers];
    }

    private static void CheckSize(ElementType type, long[] shape, long[] offsets, string file, string name)
    {
        // The product without its zeros must fit too: libtorch computes the strides of an empty tensor from it.
        long extent = type.Size;
        foreach (var dimension in shape)
        {
            var factor = Math.Max(dimension, 1);
            if (extent > long.MaxValue / factor)
            {
                throw CheckpointException.In(file, name, $"{type.Name} [{string.Join(", ", shape)}] is more than {long.MaxValue} bytes");
            }

            extent *= factor;
        }

        var size = shape.Contains(0) ? 0 : extent;
        if (offsets[0] > offsets[1] || offsets[1] - offsets[0] != size)
        {
            throw CheckpointException.In(file, name, $"{type.Name} [{string.Join(", ", shape)}] is {size} bytes, its data_offsets are {offsets[0]} to {offsets[1]}");
        }
    }

    private static void CheckTiling(Dictionary<string, TensorEntry> entries, long dataLength, string file)
    {
        var position = 0L;
        foreach (var (name, entry) in entries.OrderBy(pair => pair.Value.Begin).ThenBy(pair => pair.Value.End))
        {
            if (entry.End > dataLength)
            {
                throw CheckpointException.In(file, name, $"it ends at byte {entry.End} of the data, the file holds {dataLength}: it is cut off or damaged");
            }

            if (entry.Begin != position)
            {
                var problem = entry.Begin < position ? "it overlaps the tensor before it" : "bytes before it belong to no tensor";
                throw CheckpointException.In(file, name, $"{problem} (it begins at {entry.Begin}, the one before ends at {position})");
            }

            position = entry.End;
        }

        if (position != dataLength)
        {
            throw CheckpointException.In(file, $"the last tensor ends at byte {position} of the data, the file holds {dataLength}");
        }
    }
}
