using System.IO.Compression;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>Writes files as torch.save does: a zip file with a pickle and the storages beside it.</summary>
internal static class TorchArchive
{
    public static byte[] Of(Dictionary<string, Tensor> tensors)
    {
        var pickle = new MemoryStream();
        using (var writer = new BinaryWriter(pickle, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write([0x80, 2, (byte)'}', (byte)'(']);
            foreach (var ((name, tensor), key) in tensors.Select((pair, key) => (pair, key)))
            {
                Text(writer, name);
                Global(writer, "torch._utils", "_rebuild_tensor_v2");
                writer.Write("(("u8);
                Text(writer, "storage");
                Global(writer, "torch", tensor.dtype switch { ScalarType.Float32 => "FloatStorage", ScalarType.Float16 => "HalfStorage", ScalarType.BFloat16 => "BFloat16Storage", _ => "LongStorage" });
                Text(writer, key.ToString());
                Text(writer, "cpu");
                Number(writer, tensor.numel());
                writer.Write("tQK\0"u8);
                Tuple(writer, tensor.shape);
                Tuple(writer, tensor.contiguous().stride());
                writer.Write([0x89]);
                Global(writer, "collections", "OrderedDict");
                writer.Write(")RtR"u8);
            }

            writer.Write("u."u8);
        }

        return Zip([("archive/data.pkl", pickle.ToArray()), .. tensors.Values.Select((tensor, key) => ($"archive/data/{key}", Files.Bytes(tensor)))]);
    }

    public static byte[] Zip(IEnumerable<(string Name, byte[] Content)> entries, CompressionLevel level = CompressionLevel.NoCompression)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in entries)
            {
                using var entry = zip.CreateEntry(name, level).Open();
                entry.Write(content);
            }
        }

        return stream.ToArray();
    }

    private static void Text(BinaryWriter writer, string text)
    {
        writer.Write((byte)'X');
        writer.Write(Encoding.UTF8.GetByteCount(text));
        writer.Write(Encoding.UTF8.GetBytes(text));
    }

    private static void Global(BinaryWriter writer, string module, string name) => writer.Write(Encoding.ASCII.GetBytes($"c{module}\n{name}\n"));

    private static void Number(BinaryWriter writer, long number)
    {
        writer.Write([0x8A, 8]);
        writer.Write(number);
    }

    private static void Tuple(BinaryWriter writer, long[] numbers)
    {
        writer.Write((byte)'(');
        foreach (var number in numbers)
        {
            Number(writer, number);
        }

        writer.Write((byte)'t');
    }
}
