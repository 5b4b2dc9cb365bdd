using System.Buffers.Binary;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>
/// The tensors of a file of PyTorch's torch.save (pytorch_model.bin), mapped into memory. The pickle in it is read by a reader that executes nothing: see
/// <see cref="PickleReader"/>.
/// </summary>
internal sealed class TorchFile : ITensorFile
{
    public const string SingleFile = "pytorch_model.bin";
    public const string IndexFile = "pytorch_model.bin.index.json";
    private const string PickleEntry = "data.pkl";
    private const ulong LegacyMagic = 0xA86A20F9469CFC6C; // bytes 4 to 11 of files before PyTorch 1.6

    private readonly string _path;
    private readonly FileMap _map;
    private readonly Dictionary<string, (PickleTensor Tensor, long Start)> _tensors;

    private TorchFile(string path, FileMap map, Dictionary<string, (PickleTensor Tensor, long Start)> tensors)
    {
        (_path, _map, _tensors) = (path, map, tensors);
        Entries = tensors.ToDictionary(pair => pair.Key, pair => Entry(pair.Value.Tensor, pair.Value.Start), StringComparer.Ordinal).AsReadOnly();
    }

    public IReadOnlyDictionary<string, TensorEntry> Entries { get; }

    /// <summary>Whether a path is named as torch.save's files are.</summary>
    public static bool IsNamed(string path) => Path.GetExtension(path) is ".bin" or ".pt" or ".pth";

    /// <exception cref="CheckpointException">The file cannot be read, or holds anything else than named tensors.</exception>
    public static TorchFile Open(string path)
    {
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            using var stream = new FileStream(handle, FileAccess.Read, bufferSize: 0);
            RefuseLegacy(stream, path);
            var tensors = Read(ZipDirectory.Read(stream, path), path);
            return new(path, FileMap.Open(handle), tensors);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw CheckpointException.In(path, $"it cannot be read: {FileProblem.Of(path, error)}", error);
        }
    }

    public Tensor Load(string name)
    {
        if (!_tensors.TryGetValue(name, out var found))
        {
            throw CheckpointException.In(_path, name, "the file has no tensor of that name");
        }

        var (tensor, start) = found;
        var type = tensor.Storage.Element.ScalarType!.Value;
        if (tensor.Shape.Contains(0) || IsDense(tensor))
        {
            return _map.View(start + (tensor.Offset * tensor.Storage.Element.Size), Entries[name], type);
        }

        using var scope = NewDisposeScope();
        var storage = new TensorEntry(tensor.Storage.Element, [tensor.Storage.Count], 0, tensor.Storage.Count * tensor.Storage.Element.Size);
        return _map.View(start, storage, type).as_strided(tensor.Shape, tensor.Strides, tensor.Offset).MoveToOuterDisposeScope();
    }

    public void Dispose() => _map.Dispose();

    private static void RefuseLegacy(FileStream stream, string path)
    {
        Span<byte> start = stackalloc byte[12];
        if (stream.Length >= start.Length)
        {
            stream.ReadExactly(start);
            if (start[0] == 0x80 && BinaryPrimitives.ReadUInt64LittleEndian(start[4..]) == LegacyMagic)
            {
                throw CheckpointException.In(path, "it was written by a PyTorch before 1.6, as pickles without a zip file, which is not supported; load and save it with a newer one");
            }
        }
    }

    private static Dictionary<string, (PickleTensor Tensor, long Start)> Read(ZipDirectory zip, string path)
    {
        var pickles = zip.Names.Where(name => name.EndsWith("/" + PickleEntry, StringComparison.Ordinal)).ToArray();
        if (pickles.Length != 1)
        {
            throw CheckpointException.In(path, $"the zip file has {pickles.Length} entries named {PickleEntry}, a file of torch.save has one");
        }

        var folder = pickles[0][..^PickleEntry.Length];
        if (zip.Names.Contains(folder + "constants.pkl"))
        {
            throw CheckpointException.In(path, "it is a TorchScript program, not a file of tensors");
        }

        if (zip.Names.Contains(folder + "byteorder") && !zip.Content(folder + "byteorder").AsSpan().SequenceEqual("little"u8))
        {
            throw CheckpointException.In(path, "its numbers are big-endian, which is not supported");
        }

        var root = PickleReader.Read(zip.Content(pickles[0]), path) as Dictionary<string, object?> ?? throw CheckpointException.In(path, "it holds no dictionary of tensors");
        var tensors = new Dictionary<string, (PickleTensor, long)>(root.Count, StringComparer.Ordinal);
        foreach (var (name, value) in root)
        {
            var tensor = value as PickleTensor ?? throw CheckpointException.In(path, name, "it is no tensor; a checkpoint is a dictionary of tensors alone");
            var (start, length) = zip.Find($"{folder}data/{tensor.Storage.Key}");
            Check(path, name, tensor, length);
            tensors.Add(name, (tensor, start));
        }

        return tensors;
    }

    /// <summary>Throws where a tensor is not inside of its storage, or its storage not inside of its entry.</summary>
    private static void Check(string path, string name, PickleTensor tensor, long length)
    {
        var (count, size) = (tensor.Storage.Count, tensor.Storage.Element.Size);
        if (count > length / size)
        {
            throw CheckpointException.In(path, name, $"its storage of {count} {tensor.Storage.Element.Name} is larger than its entry of {length} bytes");
        }

        if (tensor.Shape.Length != tensor.Strides.Length || tensor.Offset < 0 || tensor.Offset > count)
        {
            throw CheckpointException.In(path, name, "its shape, strides and offset do not fit together");
        }

        // A tensor has no more numbers than its storage, or a small file could ask for any amount of memory; the strides of an empty one must fit into 64 bits.
        var isEmpty = tensor.Shape.Contains(0);
        var most = isEmpty ? long.MaxValue / size : Math.Max(1, count);
        var (extent, last) = (1L, (Int128)tensor.Offset);
        for (var i = 0; i < tensor.Shape.Length; i++)
        {
            var factor = Math.Max(1, tensor.Shape[i]);
            extent = extent <= most / factor ? extent * factor : throw Outside();
            last += (Int128)(factor - 1) * tensor.Strides[i];
        }

        if (!isEmpty && last >= count)
        {
            throw Outside();
        }

        CheckpointException Outside() => CheckpointException.In(
            path, name, $"a tensor of shape ({string.Join(", ", tensor.Shape)}) and strides ({string.Join(", ", tensor.Strides)}) from number {tensor.Offset} is not in its storage of {count}");
    }

    private static bool IsDense(PickleTensor tensor)
    {
        var expected = 1L;
        for (var i = tensor.Shape.Length - 1; i >= 0; i--)
        {
            if (tensor.Shape[i] != 1 && tensor.Strides[i] != expected)
            {
                return false;
            }

            expected *= tensor.Shape[i];
        }

        return true;
    }

    private static TensorEntry Entry(PickleTensor tensor, long start)
    {
        var size = tensor.Storage.Element.Size;
        var begin = start + (tensor.Offset * size);
        return new(tensor.Storage.Element, tensor.Shape, begin, begin + (tensor.Shape.Aggregate(1L, (a, b) => a * b) * size));
    }
}
