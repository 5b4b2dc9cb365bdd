namespace Toolkit.Checkpoints;

/// <summary>A complete file under a temporary name beside its destination: <see cref="Commit"/> moves it there, disposal without that removes it.</summary>
internal sealed class PendingFile : IDisposable
{
    private readonly string _destination;
    private readonly string _temporary;

    private PendingFile(string destination)
    {
        _destination = destination;
        _temporary = $"{destination}.{Guid.NewGuid():N}.tmp";
    }

    /// <summary>Lets <paramref name="write"/> fill the temporary file, and brings that to the disk.</summary>
    public static PendingFile Write(string destination, long length, Action<Stream> write)
    {
        var pending = new PendingFile(destination);
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, PreallocationSize = length };
            using var stream = new FileStream(pending._temporary, options);
            write(stream);
            stream.Flush(flushToDisk: true);
            return pending;
        }
        catch (Exception error)
        {
            pending.Dispose();
            if (error is IOException or UnauthorizedAccessException)
            {
                throw CheckpointException.In(destination, $"it cannot be written: {pending.Reason(error)}", error);
            }

            throw;
        }
    }

    /// <summary>The system speaks of the temporary name, which nobody knows.</summary>
    private string Reason(Exception error) => Path.GetDirectoryName(Path.GetFullPath(_destination)) is { } folder && !Directory.Exists(folder)
        ? $"there is no folder {folder}"
        : error is FileNotFoundException ? "no file can be made in that folder"
        : FileProblem.Of(_destination, error).Replace(_temporary, _destination, StringComparison.Ordinal);

    public void Commit()
    {
        try
        {
            File.Move(_temporary, _destination, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw CheckpointException.In(_destination, $"it cannot be put in place: {FileProblem.Of(_destination, error)}", error);
        }
    }

    public void Dispose()
    {
        try
        {
            File.Delete(_temporary);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Nothing better can be done for a left-over than to leave it; the reason that matters is already on its way up.
        }
    }
}
