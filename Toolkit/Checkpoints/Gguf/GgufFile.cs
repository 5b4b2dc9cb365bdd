using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>
/// A GGUF file (version 2 or 3), mapped into memory: opening reads what is before the data. Plain numbers load as views of the map, blocks are dequantized to
/// float32. Names and order of rows are the file's own; <see cref="Checkpoint.Open"/> gives those of Hugging Face.
/// </summary>
/// <remarks>
/// The map is private, as that of <see cref="SafeTensorsFile"/>. Files of several parts (split.count) are opened one by one.
/// </remarks>
public sealed class GgufFile : IDisposable
{
    private readonly GgufHeader _header;
    private readonly FileMap _map;

    private GgufFile(string path, GgufHeader header, FileMap map)
    {
        Path = path;
        _header = header;
        _map = map;
        Tensors = header.Tensors.AsReadOnly();
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The version of the format, 2 or 3.</summary>
    public int Version => (int)_header.Version;

    /// <summary>What the file says of the model and of its tokenizer.</summary>
    public GgufMetadata Metadata => _header.Metadata;

    /// <summary>What the file holds, by its own names.</summary>
    public IReadOnlyDictionary<string, GgufTensor> Tensors { get; }

    /// <summary>Whether a path is meant as a GGUF file: it is called *.gguf and is no folder.</summary>
    public static bool IsNamed(string path) => path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) && !Directory.Exists(path);

    /// <summary>Opens and checks the file at <paramref name="path"/>.</summary>
    /// <exception cref="CheckpointException">The file cannot be read, or is not a well-formed GGUF file.</exception>
    public static GgufFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            using var stream = new FileStream(handle, FileAccess.Read, bufferSize: 1 << 16);
            var header = GgufHeader.Read(stream, path);
            return new(path, header, FileMap.Open(handle));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw CheckpointException.In(path, $"it cannot be read: {FileProblem.Of(path, error)}", error);
        }
    }

    /// <summary>
    /// The tensor of that name, on the CPU: a view of the map where the file has plain numbers (a copy where they are not aligned), else dequantized to
    /// float32. It stays valid after this file is disposed, and belongs to the caller's dispose scope.
    /// </summary>
    /// <exception cref="CheckpointException">The file has no such tensor, or it is of a type that cannot be read.</exception>
    /// <exception cref="ObjectDisposedException">This file was disposed.</exception>
    public Tensor Load(string name) => Load(name, headRows: 0);

    /// <summary>
    /// Writes a file of version 3, one tensor at a time. It appears, or replaces an older one, only when it is complete. Numbers of blocks are computed as
    /// llama.cpp computes them, bit for bit.
    /// </summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="metadata">What to say of the model; general.alignment may be among it.</param>
    /// <param name="tensors">Dense tensors of any device, in the order to be written.</param>
    /// <param name="type">How to store each: F32, F16, BF16, Q8_0 or Q4_0, or for the element type that it has, F64 and I8 to I64.</param>
    /// <exception cref="CheckpointException">A tensor cannot be stored like that, or the file cannot be written.</exception>
    public static void Save(string path, GgufMetadata metadata, IEnumerable<KeyValuePair<string, Tensor>> tensors, Func<string, Tensor, GgufType> type)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(type);
        using var pending = GgufWriter.Write(path, metadata, [.. tensors.Select(pair => new GgufItem(pair.Key, pair.Value, type(pair.Key, pair.Value)))]);
        pending.Commit();
    }

    /// <summary>Lets go of the file; the map itself stays until the last tensor over it is gone.</summary>
    public void Dispose() => _map.Dispose();

    /// <summary>The same with rows 2i and 2i + 1 of each <paramref name="headRows"/> rows at i and i + headRows/2; 0 leaves them where they are.</summary>
    internal Tensor Load(string name, long headRows)
    {
        if (!_header.Tensors.TryGetValue(name, out var tensor))
        {
            throw CheckpointException.In(Path, name, "the file has no tensor of that name");
        }

        if (tensor.Layout.Plain is { } plain)
        {
            var entry = new TensorEntry(plain, tensor.Shape, tensor.Offset, tensor.Offset + tensor.ByteCount);
            var view = _map.View(_header.DataStart + tensor.Offset, entry, plain.ScalarType!.Value);
            return headRows == 0 ? view : Halves(view, headRows);
        }

        return Dequantize(tensor, headRows);
    }

    private static Tensor Halves(Tensor pairs, long headRows)
    {
        using var scope = NewDisposeScope();
        var shape = pairs.shape;
        using var source = pairs;
        return source.view(-1, headRows / 2, 2, Math.Max(1, shape.Skip(1).Aggregate(1L, (a, b) => a * b))).transpose(1, 2).reshape(shape).MoveToOuterDisposeScope();
    }

    private unsafe Tensor Dequantize(GgufTensor tensor, long headRows)
    {
        var format = BlockFormat.Find(tensor.Type)
            ?? throw CheckpointException.In(Path, tensor.Name, $"it is stored as {tensor.Type}, which cannot be read; of the block types {string.Join(", ", BlockFormat.Types)} can");
        InitializeDeviceType(DeviceType.CPU);
        var shape = tensor.Shape;
        var values = empty(shape, ScalarType.Float32);
        if (tensor.ByteCount > 0)
        {
            var rowBlocks = shape[^1] / format.Layout.BlockLength;
            var rows = tensor.ByteCount / format.Layout.BlockBytes / rowBlocks;
            _map.Read(
                _header.DataStart + tensor.Offset,
                blocks => BlockKernel.Dequantize(format, (byte*)blocks, (float*)TensorData.Pointer(values), rows, rowBlocks, headRows));
            GC.KeepAlive(values);
        }

        return values;
    }
}
