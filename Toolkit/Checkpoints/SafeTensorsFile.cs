using Microsoft.Win32.SafeHandles;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>
/// A file of named tensors in the safetensors format, mapped into memory: opening reads the header only, and tensors are views of
/// the map whose pages the system fetches when they are first touched. The whole header is checked before any tensor is made.
/// </summary>
/// <remarks>
/// The map is private: writing to a loaded tensor changes neither the file nor what another opening of it sees (two tensors loaded
/// under one name from one opening share their memory). Cutting the file short while it is open makes the system end a process that
/// touches the lost part; replacing it, as <see cref="Save"/> does, is safe.
/// </remarks>
public sealed class SafeTensorsFile : ITensorFile
{
    private readonly string _path;
    private readonly SafeTensorsHeader _header;
    private readonly FileMap _map;
    private readonly long _start;

    private SafeTensorsFile(string path, SafeTensorsHeader header, FileMap map, long start = 0)
    {
        _start = start;
        _path = path;
        _header = header;
        _map = map;
        Entries = header.Entries.AsReadOnly();
        Metadata = header.Metadata.AsReadOnly();
    }

    /// <summary>What the file holds, by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries { get; }

    /// <summary>The free-form texts that the file carries under __metadata__; empty if it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens and checks the file at <paramref name="path"/>.</summary>
    /// <exception cref="CheckpointException">The file cannot be read, or is not a well-formed safetensors file.</exception>
    public static SafeTensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            using var stream = new FileStream(handle, FileAccess.Read, bufferSize: 0);
            var header = SafeTensorsHeader.Read(stream, path);
            return new(path, header, FileMap.Open(handle));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw CheckpointException.In(path, $"it cannot be read: {FileProblem.Of(path, error)}", error);
        }
    }

    /// <summary>Opens and checks a file that is a part of another, from <paramref name="start"/> on.</summary>
    /// <exception cref="CheckpointException">It is not well-formed.</exception>
    internal static SafeTensorsFile OpenPart(SafeFileHandle handle, string path, long start, long length)
    {
        var prefix = new byte[Math.Min(length, SafeTensorsHeader.PrefixLength)];
        RandomAccess.Read(handle, prefix, start);
        if (prefix.Length < SafeTensorsHeader.PrefixLength)
        {
            throw CheckpointException.In(path, $"{length} bytes are too few for a safetensors file");
        }

        var json = new byte[SafeTensorsHeader.Length(prefix, length, path)];
        RandomAccess.Read(handle, json, start + prefix.Length);
        return new(path, SafeTensorsHeader.Parse(json, length, path), FileMap.Open(handle), start);
    }

    /// <summary>
    /// The tensor of that name, on the CPU, as a view of the map (a copy where its data is not aligned to its element size). It stays
    /// valid after this file is disposed, and belongs to the caller's dispose scope.
    /// </summary>
    /// <exception cref="CheckpointException">The file has no such tensor, or TorchSharp lacks its element type.</exception>
    /// <exception cref="ObjectDisposedException">This file was disposed.</exception>
    public Tensor Load(string name)
    {
        if (!_header.Entries.TryGetValue(name, out var entry))
        {
            throw CheckpointException.In(_path, name, "the file has no tensor of that name");
        }

        var type = entry.ScalarType ?? throw CheckpointException.In(_path, name, $"TorchSharp has no scalar type for {entry.DataType}");
        return _map.View(_start + _header.DataStart + entry.Begin, entry, type);
    }

    /// <summary>
    /// Writes <paramref name="tensors"/> to the file at <paramref name="path"/>, as Hugging Face's library does, one tensor at a time.
    /// The file appears, or replaces an older one, only when it is complete.
    /// </summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="tensors">Dense tensors of any device; views are written as if contiguous, shared memory is written once a name.</param>
    /// <param name="metadata">Texts to keep under __metadata__; by default format = pt, which other readers ask for.</param>
    /// <exception cref="CheckpointException">A tensor cannot be stored in this format, or the file cannot be written.</exception>
    public static void Save(string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        using var pending = SafeTensorsWriter.Write(path, tensors, metadata);
        pending.Commit();
    }

    /// <summary>Lets go of the file; the map itself stays until the last tensor over it is gone.</summary>
    public void Dispose() => _map.Dispose();
}
