namespace Toolkit.Checkpoints;

/// <summary>A file that one process at a time holds, in the place and by the means of Hugging Face's tools: who comes second waits.</summary>
internal static class CacheLock
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    // What the system says of a file that another holds: Linux, macOS, Windows.
    private static readonly int[] Held = [11, 35, unchecked((int)0x80070020)];

    /// <summary>Waits for the lock; disposing gives it back.</summary>
    /// <exception cref="CheckpointException">The file cannot be made.</exception>
    public static async Task<IDisposable> Take(string path, CancellationToken cancellation)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException problem) when (Held.Contains(problem.HResult))
            {
                await Task.Delay(Pause, cancellation).ConfigureAwait(false);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                throw CheckpointException.In(path, $"it cannot be locked: {problem.Message}", problem);
            }
        }
    }
}
