namespace Toolkit.Checkpoints;

/// <summary>Why a file cannot be read or written, without its path, which the message names already.</summary>
internal static class FileProblem
{
    /// <summary>In a few words.</summary>
    /// <param name="path">The file.</param>
    /// <param name="error">What .NET threw.</param>
    public static string Of(string path, Exception error) => Directory.Exists(path) ? "it is a folder" : error switch
    {
        FileNotFoundException or DirectoryNotFoundException => "there is no such file",
        UnauthorizedAccessException => "access is denied",
        _ => error.Message,
    };
}
