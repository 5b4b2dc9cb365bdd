namespace Toolkit.Checkpoints;

/// <summary>A file that is being fetched, or what an earlier attempt left of it. Problems of the disk are told as such, so that nobody takes them for the network's.</summary>
internal sealed class PartialFile : IAsyncDisposable
{
    private readonly string _path;
    private readonly FileStream _stream;

    private PartialFile(string path, FileStream stream) => (_path, _stream) = (path, stream);

    /// <summary>Bytes that are there.</summary>
    public long Length { get; private set; }

    /// <exception cref="CheckpointException">It cannot be written.</exception>
    public static PartialFile Open(string path)
    {
        try
        {
            var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, useAsync: true);
            stream.Seek(0, SeekOrigin.End);
            return new(path, stream) { Length = stream.Length };
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw CheckpointException.In(path, $"it cannot be written: {problem.Message}", problem);
        }
    }

    /// <exception cref="CheckpointException">The disk is full, or fails.</exception>
    public async Task Append(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        try
        {
            await _stream.WriteAsync(bytes, cancellation).ConfigureAwait(false);
            Length += bytes.Length;
        }
        catch (IOException problem)
        {
            throw CheckpointException.In(_path, $"it cannot be written: {problem.Message}", problem);
        }
    }

    /// <summary>Begins anew.</summary>
    public void Empty()
    {
        if (Length > 0)
        {
            _stream.SetLength(0);
            _stream.Seek(0, SeekOrigin.Begin);
            Length = 0;
        }
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();
}
