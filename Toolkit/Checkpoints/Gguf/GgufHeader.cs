namespace Toolkit.Checkpoints;

/// <summary>
/// Everything before the data of a GGUF file, completely checked: whatever passes describes tensors of known types that lie inside of the file without
/// an overlap. See https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
/// </summary>
internal sealed class GgufHeader
{
    public const string AlignmentKey = "general.alignment";
    public const int DefaultAlignment = 32;
    public const int MostDimensions = 4;
    private const uint Magic = 0x46554747;
    private const int ShortestValue = 8 + 4 + 1;
    private const int ShortestTensor = 8 + 4 + 4 + 8;

    private GgufHeader(uint version, GgufMetadata metadata, Dictionary<string, GgufTensor> tensors, long dataStart)
    {
        Version = version;
        Metadata = metadata;
        Tensors = tensors;
        DataStart = dataStart;
    }

    public uint Version { get; }

    public GgufMetadata Metadata { get; }

    /// <summary>By name, in the order of the file.</summary>
    public Dictionary<string, GgufTensor> Tensors { get; }

    /// <summary>Where the data begins in the file.</summary>
    public long DataStart { get; }

    public static GgufHeader Read(Stream stream, string path)
    {
        var reader = new GgufReader(stream, path);
        var version = ReadVersion(reader, path);
        var tensorCount = reader.Count("tensors", ShortestTensor);
        var valueCount = reader.Count("metadata values", ShortestValue);
        var values = ReadMetadata(reader, path, valueCount);
        var alignment = Alignment(path, values);
        var tensors = new Dictionary<string, GgufTensor>(tensorCount, StringComparer.Ordinal);
        for (var i = 0; i < tensorCount; i++)
        {
            var tensor = ReadTensor(reader, path, alignment);
            if (!tensors.TryAdd(tensor.Name, tensor))
            {
                throw CheckpointException.In(path, tensor.Name, "the file lists this name twice");
            }
        }

        var dataStart = checked((reader.Position + alignment - 1) / alignment * alignment);
        CheckPlaces(tensors.Values, stream.Length - dataStart, path);
        return new(version, new GgufMetadata(path, values), tensors, dataStart);
    }

    private static uint ReadVersion(GgufReader reader, string path)
    {
        var magic = reader.Read<uint>("the magic number");
        if (magic != Magic)
        {
            throw CheckpointException.In(path, "it does not begin with GGUF, so it is no GGUF file");
        }

        var version = reader.Read<uint>("the version");
        return version switch
        {
            2 or 3 => version,
            1 => throw CheckpointException.In(path, "GGUF version 1 has 32-bit lengths, which are not supported; versions 2 and 3 are"),
            > 0xFFFF when (version & 0xFFFF) == 0 => throw CheckpointException.In(path, "it is a big-endian GGUF file, which is not supported"),
            _ => throw CheckpointException.In(path, $"GGUF version {version} is not known; versions 2 and 3 are"),
        };
    }

    private static OrderedDictionary<string, object> ReadMetadata(GgufReader reader, string path, int count)
    {
        var values = new OrderedDictionary<string, object>(count, StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            var key = reader.Text("a metadata key");
            if (!values.TryAdd(key, reader.Value(key)))
            {
                throw CheckpointException.In(path, $"the metadata \"{CheckpointException.Shorten(key)}\" is there twice");
            }
        }

        return values;
    }

    private static long Alignment(string path, OrderedDictionary<string, object> values) => values.GetValueOrDefault(AlignmentKey) switch
    {
        null => DefaultAlignment,
        uint alignment when System.Numerics.BitOperations.IsPow2(alignment) => alignment,
        var other => throw CheckpointException.In(path, $"the metadata \"{AlignmentKey}\" is {CheckpointException.Shorten($"{other}")}, not a power of two of 32 bits"),
    };

    private static GgufTensor ReadTensor(GgufReader reader, string path, long alignment)
    {
        var name = reader.Text("a tensor name");
        var rank = reader.Read<uint>($"the dimensions of tensor \"{CheckpointException.Shorten(name)}\"");
        if (rank > MostDimensions)
        {
            throw CheckpointException.In(path, name, $"it has {rank} dimensions, {MostDimensions} are the most");
        }

        var shape = new long[rank];
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            shape[i] = reader.Read<long>("a dimension");
        }

        var type = reader.Read<uint>("a tensor's type");
        var offset = reader.Read<long>("a tensor's offset");
        var layout = GgufLayout.Find((GgufType)type) ?? throw CheckpointException.In(path, name, $"its type {type} is not known");
        if (offset < 0 || offset % alignment != 0)
        {
            throw CheckpointException.In(path, name, $"its offset {(ulong)offset} is not a multiple of the alignment {alignment}");
        }

        return new(name, layout, shape, offset, ByteCount(path, name, layout, shape));
    }

    private static long ByteCount(string path, string name, GgufLayout layout, long[] shape)
    {
        var row = shape.Length == 0 ? 1 : shape[^1];
        if (row % layout.BlockLength != 0)
        {
            throw CheckpointException.In(path, name, $"its rows of {row} numbers are no whole blocks of {layout.BlockLength} ({layout.Type})");
        }

        // The product without its zeros must fit too, in bytes of float32: libtorch computes the strides of an empty tensor from it.
        long extent = Math.Max(sizeof(float), layout.BlockBytes);
        foreach (var dimension in shape)
        {
            if (dimension < 0 || extent > long.MaxValue / Math.Max(dimension, 1))
            {
                throw CheckpointException.In(path, name, $"{layout.Type} [{string.Join(", ", shape.Select(size => (ulong)size))}] is more than {long.MaxValue} bytes");
            }

            extent *= Math.Max(dimension, 1);
        }

        return shape.Contains(0) ? 0 : extent / Math.Max(sizeof(float), layout.BlockBytes) / layout.BlockLength * layout.BlockBytes;
    }

    private static void CheckPlaces(IEnumerable<GgufTensor> tensors, long dataLength, string path)
    {
        var end = 0L;
        foreach (var tensor in tensors.OrderBy(tensor => tensor.Offset).ThenBy(tensor => tensor.ByteCount))
        {
            if (tensor.ByteCount > dataLength || tensor.Offset > dataLength - tensor.ByteCount)
            {
                throw CheckpointException.In(
                    path, tensor.Name, $"its {tensor.ByteCount} bytes begin at byte {tensor.Offset} of the data, the file holds {Math.Max(dataLength, 0)}: it is cut off or damaged");
            }

            if (tensor.Offset < end)
            {
                throw CheckpointException.In(path, tensor.Name, $"it overlaps the tensor before it (it begins at {tensor.Offset}, the one before ends at {end})");
            }

            end = tensor.Offset + tensor.ByteCount;
        }
    }
}
