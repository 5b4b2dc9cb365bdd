namespace Toolkit.Graphs;

/// <summary>A compiled module cannot be saved, or a saved one does not fit: its file, this machine, these libraries, or what it is called with. The message is one line.</summary>
public sealed class CompiledArtifactException : Exception
{
    /// <summary>For this reason.</summary>
    public CompiledArtifactException(string message)
        : base(message)
    {
    }

    /// <summary>For this reason, which has another.</summary>
    public CompiledArtifactException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>About a file.</summary>
    internal static CompiledArtifactException In(string path, string problem, Exception? inner = null) =>
        inner is null ? new($"{path}: {OneLine(problem)}") : new($"{path}: {OneLine(problem)}", inner);

    private static string OneLine(string text) => text.Split('\n')[0].TrimEnd();
}
