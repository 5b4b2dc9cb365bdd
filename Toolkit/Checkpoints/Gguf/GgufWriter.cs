using System.Runtime.InteropServices;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>A tensor to be written and how.</summary>
internal sealed record GgufItem(string Name, Tensor Tensor, GgufType Type)
{
    /// <summary>Not 0: in each of so many rows, those of the first and of the second half take turns.</summary>
    public long HeadRows { get; init; }
}

/// <summary>Writes GGUF files: header first, then tensor by tensor in parts of bounded size.</summary>
internal static class GgufWriter
{
    private const uint Magic = 0x46554747;
    private const uint Version = 3;
    private const long ChunkNumbers = 1 << 22;
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Writes everything under a temporary name; nothing is in place until the result is committed.</summary>
    public static PendingFile Write(string path, GgufMetadata metadata, IReadOnlyList<GgufItem> items)
    {
        var alignment = metadata.Integer(GgufHeader.AlignmentKey) ?? GgufHeader.DefaultAlignment;
        if (alignment is <= 0 or > uint.MaxValue || !System.Numerics.BitOperations.IsPow2(alignment))
        {
            throw CheckpointException.In(path, $"an alignment of {alignment} is not a power of two of 32 bits");
        }

        var tensors = Arrange(path, items, alignment);
        var header = Header(path, metadata, tensors);
        var dataStart = Aligned(header.Length, alignment);
        var length = dataStart + (tensors.Count == 0 ? 0 : Aligned(tensors[^1].Offset + tensors[^1].ByteCount, alignment));
        return PendingFile.Write(path, length, stream =>
        {
            stream.Write(header);
            Pad(stream, dataStart - header.Length);
            foreach (var (item, tensor) in items.Zip(tensors))
            {
                WriteData(path, stream, item, tensor);
                Pad(stream, Aligned(tensor.ByteCount, alignment) - tensor.ByteCount);
            }
        });
    }

    private static long Aligned(long position, long alignment) => checked(position + alignment - 1) / alignment * alignment;

    private static void Pad(Stream stream, long count)
    {
        Span<byte> zeros = stackalloc byte[256];
        zeros.Clear();
        for (; count > 0; count -= zeros.Length)
        {
            stream.Write(zeros[..(int)Math.Min(count, zeros.Length)]);
        }
    }

    private static List<GgufTensor> Arrange(string path, IReadOnlyList<GgufItem> items, long alignment)
    {
        var tensors = new List<GgufTensor>(items.Count);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var position = 0L;
        foreach (var item in items)
        {
            if (!names.Add(item.Name))
            {
                throw CheckpointException.In(path, item.Name, "there are two of that name");
            }

            var layout = Layout(path, item);
            var shape = item.Tensor.shape;
            var bytes = checked(item.Tensor.numel() / layout.BlockLength * layout.BlockBytes);
            tensors.Add(new(item.Name, layout, shape, position, bytes));
            position = Aligned(checked(position + bytes), alignment);
        }

        return tensors;
    }

    private static GgufLayout Layout(string path, GgufItem item)
    {
        if (item.Tensor is null || item.Tensor.IsInvalid)
        {
            throw CheckpointException.In(path, item.Name, "it is null or was disposed");
        }

        if (item.Tensor.is_sparse || item.Tensor.is_meta || item.Tensor.dim() > GgufHeader.MostDimensions)
        {
            var kind = item.Tensor.is_sparse ? "sparse" : item.Tensor.is_meta ? "on the meta device, without data" : $"of {item.Tensor.dim()} dimensions";
            throw CheckpointException.In(path, item.Name, $"it is {kind}, which the format cannot hold");
        }

        var layout = GgufLayout.Find(item.Type);
        var canWrite = item.Type is GgufType.F32 or GgufType.F16 or GgufType.BF16
            ? item.Tensor.is_floating_point()
            : layout?.Plain is { } plain ? plain.ScalarType == item.Tensor.dtype : item.Tensor.is_floating_point() && BlockFormat.Find(item.Type) is { CanQuantize: true };
        if (layout is null || !canWrite)
        {
            throw CheckpointException.In(path, item.Name, $"{item.Tensor.dtype} cannot be written as {item.Type}");
        }

        var row = item.Tensor.dim() == 0 ? 1 : item.Tensor.shape[^1];
        return row % layout.BlockLength == 0
            ? layout
            : throw CheckpointException.In(path, item.Name, $"its rows of {row} numbers are no whole blocks of {layout.BlockLength} ({item.Type})");
    }

    private static byte[] Header(string path, GgufMetadata metadata, List<GgufTensor> tensors)
    {
        using var buffer = new MemoryStream();
        using (var writer = new BinaryWriter(buffer, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Magic);
            writer.Write(Version);
            writer.Write((ulong)tensors.Count);
            writer.Write((ulong)metadata.Count);
            foreach (var (key, value) in metadata)
            {
                WriteText(writer, path, key);
                writer.Write((uint)GgufValueTypes.Of(value)!.Value);
                WriteValue(writer, path, value);
            }

            foreach (var tensor in tensors)
            {
                WriteText(writer, path, tensor.Name);
                writer.Write((uint)tensor.Dimensions.Length);
                for (var i = tensor.Dimensions.Length - 1; i >= 0; i--)
                {
                    writer.Write(tensor.Dimensions[i]);
                }

                writer.Write((uint)tensor.Type);
                writer.Write(tensor.Offset);
            }
        }

        return buffer.ToArray();
    }

    private static void WriteValue(BinaryWriter writer, string path, object value)
    {
        switch (value)
        {
            case byte number: writer.Write(number); break;
            case sbyte number: writer.Write(number); break;
            case ushort number: writer.Write(number); break;
            case short number: writer.Write(number); break;
            case uint number: writer.Write(number); break;
            case int number: writer.Write(number); break;
            case ulong number: writer.Write(number); break;
            case long number: writer.Write(number); break;
            case float number: writer.Write(number); break;
            case double number: writer.Write(number); break;
            case bool flag: writer.Write(flag); break;
            case string text: WriteText(writer, path, text); break;
            case Array array:
                writer.Write((uint)GgufValueTypes.OfItems(array)!.Value);
                writer.Write((ulong)array.Length);
                foreach (var item in array)
                {
                    WriteValue(writer, path, item);
                }

                break;
            default: throw new InvalidOperationException($"{value.GetType()} is no type of GGUF"); // the metadata's constructor has refused it
        }
    }

    private static void WriteText(BinaryWriter writer, string path, string text)
    {
        try
        {
            var bytes = StrictUtf8.GetBytes(text);
            writer.Write((ulong)bytes.Length);
            writer.Write(bytes);
        }
        catch (EncoderFallbackException error)
        {
            throw CheckpointException.In(path, $"\"{CheckpointException.Shorten(text)}\" is not valid text", error);
        }
    }

    private static void WriteData(string path, Stream stream, GgufItem item, GgufTensor tensor)
    {
        if (tensor.ByteCount == 0)
        {
            return;
        }

        if (item.Tensor.IsInvalid)
        {
            throw CheckpointException.In(path, item.Name, "it was disposed while it was written");
        }

        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var values = item.Tensor.detach();
        if (item.HeadRows > 0)
        {
            values = values.reshape(-1, 2, item.HeadRows / 2, values.numel() / values.shape[0]).transpose(1, 2);
        }

        var flat = values.reshape(-1); // rows are whole blocks, so no block goes over the end of one
        for (var at = 0L; at < flat.shape[0]; at += ChunkNumbers)
        {
            using var part = NewDisposeScope();
            WriteNumbers(stream, flat.narrow(0, at, Math.Min(ChunkNumbers, flat.shape[0] - at)), tensor.Layout);
        }
    }

    private static unsafe void WriteNumbers(Stream stream, Tensor values, GgufLayout layout)
    {
        var format = BlockFormat.Find(layout.Type);
        var numbers = values.cpu().to_type(format is null ? layout.Plain!.ScalarType!.Value : ScalarType.Float32).contiguous();
        var start = TensorData.Pointer(numbers);
        if (format is null)
        {
            stream.Write(new ReadOnlySpan<byte>(start, checked((int)(numbers.numel() * layout.BlockBytes))));
        }
        else
        {
            var count = numbers.numel() / layout.BlockLength;
            var blocks = new byte[checked((int)(count * layout.BlockBytes))];
            fixed (byte* target = blocks)
            {
                BlockKernel.Quantize(format, (float*)start, target, count);
            }

            stream.Write(blocks);
        }

        GC.KeepAlive(numbers);
    }
}
