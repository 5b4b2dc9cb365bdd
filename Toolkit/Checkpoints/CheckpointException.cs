namespace Toolkit.Checkpoints;

/// <summary>A checkpoint cannot be read or written; the message names the file and, where one is to blame, the tensor.</summary>
public sealed class CheckpointException : Exception
{
    private const int LongestName = 120;

    /// <summary>A problem, told in full by <paramref name="message"/>.</summary>
    public CheckpointException(string message)
        : base(message)
    {
    }

    /// <summary>A problem that another exception revealed.</summary>
    public CheckpointException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal static CheckpointException In(string file, string problem, Exception? cause = null) =>
        cause is null ? new($"{file}: {problem}") : new($"{file}: {problem}", cause);

    internal static CheckpointException In(string file, string tensor, string problem) => new($"{file}: tensor \"{Shorten(tensor)}\": {problem}");

    /// <summary>A hostile file can hold a name of megabytes: a message never does.</summary>
    internal static string Shorten(string name) => name.Length <= LongestName ? name : $"{name.AsSpan(0, LongestName)}...";
}
