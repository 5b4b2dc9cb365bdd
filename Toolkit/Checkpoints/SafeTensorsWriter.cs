using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>Writes safetensors files: header first, then tensor by tensor, the widest element type first so that all of them are aligned.</summary>
internal static class SafeTensorsWriter
{
    private const int Alignment = 8;
    private const int ChunkBytes = 1 << 26;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private static readonly Dictionary<string, string> DefaultMetadata = new() { ["format"] = "pt" };
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Bytes that <paramref name="tensor"/> takes in a file.</summary>
    /// <exception cref="CheckpointException">The format cannot hold it.</exception>
    public static long ByteCount(string path, string name, Tensor tensor) => Describe(path, name, tensor).Size * tensor.numel();

    /// <summary>Writes everything under a temporary name; nothing is in place until the result is committed.</summary>
    public static PendingFile Write(string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var (length, write) = Prepare(path, tensors, metadata);
        return PendingFile.Write(path, length, write);
    }

    /// <summary>How long the file becomes, and what writes it: for a file within another.</summary>
    public static (long Length, Action<Stream> Write) Prepare(string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var items = Arrange(path, tensors);
        var header = Header(path, items, metadata ?? DefaultMetadata);
        return (header.Length + (items.Count == 0 ? 0 : items[^1].Entry.End), WriteAll);

        void WriteAll(Stream stream)
        {
            stream.Write(header);
            foreach (var item in items)
            {
                WriteData(stream, item);
            }
        }
    }

    private static List<Item> Arrange(string path, IReadOnlyDictionary<string, Tensor> tensors)
    {
        var items = new List<Item>(tensors.Count);
        var position = 0L;
        var described = tensors.Select(pair => (Name: pair.Key, Tensor: pair.Value, Type: Describe(path, pair.Key, pair.Value)));
        foreach (var (name, tensor, type) in described.OrderBy(item => item.Type.Rank).ThenBy(item => item.Name, StringComparer.Ordinal))
        {
            var end = checked(position + (type.Size * tensor.numel()));
            items.Add(new(name, tensor, new(type, tensor.shape, position, end)));
            position = end;
        }

        return items;
    }

    private static ElementType Describe(string path, string name, Tensor? tensor)
    {
        if (name == SafeTensorsHeader.MetadataName || !IsText(name))
        {
            throw CheckpointException.In(path, name, "the format cannot hold a tensor of that name");
        }

        if (tensor is null || tensor.IsInvalid)
        {
            throw CheckpointException.In(path, name, "it is null or was disposed");
        }

        if (tensor.is_sparse || tensor.is_meta || tensor.dim() > SafeTensorsHeader.MostDimensions)
        {
            var kind = tensor.is_sparse ? "sparse" : tensor.is_meta ? "on the meta device, without data" : $"of {tensor.dim()} dimensions";
            throw CheckpointException.In(path, name, $"it is {kind}, which the format cannot hold");
        }

        return ElementType.Find(tensor.dtype) ?? throw CheckpointException.In(path, name, $"the format cannot hold {tensor.dtype}");
    }

    private static byte[] Header(string path, List<Item> items, IReadOnlyDictionary<string, string> metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Json))
        {
            json.WriteStartObject();
            WriteMetadata(json, path, metadata);
            foreach (var item in items)
            {
                WriteEntry(json, item);
            }

            json.WriteEndObject();
        }

        var padded = (buffer.WrittenCount + Alignment - 1) / Alignment * Alignment;
        if (padded > SafeTensorsHeader.LongestHeader)
        {
            throw CheckpointException.In(path, $"{items.Count} tensors need a header of {padded} bytes, {SafeTensorsHeader.LongestHeader} are the most that the format allows");
        }

        var header = new byte[SafeTensorsHeader.PrefixLength + padded];
        BinaryPrimitives.WriteInt64LittleEndian(header, padded);
        var body = header.AsSpan(SafeTensorsHeader.PrefixLength);
        body.Fill((byte)' ');
        buffer.WrittenSpan.CopyTo(body);
        return header;
    }

    private static void WriteMetadata(Utf8JsonWriter json, string path, IReadOnlyDictionary<string, string> metadata)
    {
        if (metadata.Count == 0)
        {
            return;
        }

        json.WriteStartObject(SafeTensorsHeader.MetadataName);
        foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (value is null || !IsText(key) || !IsText(value))
            {
                throw CheckpointException.In(path, $"metadata \"{CheckpointException.Shorten(key)}\" is null or not valid text");
            }

            json.WriteString(key, value);
        }

        json.WriteEndObject();
    }

    private static void WriteEntry(Utf8JsonWriter json, Item item)
    {
        json.WriteStartObject(item.Name);
        json.WriteString("dtype", item.Entry.DataType);
        json.WriteStartArray("shape");
        foreach (var dimension in item.Entry.Dimensions)
        {
            json.WriteNumberValue(dimension);
        }

        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(item.Entry.Begin);
        json.WriteNumberValue(item.Entry.End);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static unsafe void WriteData(Stream stream, Item item)
    {
        if (item.Entry.ByteCount == 0)
        {
            return;
        }

        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var dense = item.Tensor.detach().cpu().resolve_conj().resolve_neg().contiguous();
        var start = TensorData.Pointer(dense);
        for (var done = 0L; done < item.Entry.ByteCount; done += ChunkBytes)
        {
            stream.Write(new ReadOnlySpan<byte>(start + done, (int)Math.Min(ChunkBytes, item.Entry.ByteCount - done)));
        }

        GC.KeepAlive(dense);
    }

    /// <summary>Whether UTF-8 can spell it: a lone surrogate would come back as another name.</summary>
    private static bool IsText(string text)
    {
        try
        {
            StrictUtf8.GetByteCount(text);
            return true;
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }

    private sealed record Item(string Name, Tensor Tensor, TensorEntry Entry);
}
