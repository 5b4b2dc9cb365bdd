using System.Text;
using Microsoft.CodeAnalysis;

namespace Toolkit.Notebook.References;

/// <summary>Files of <c>#load</c> as the compiler sees them: interruptible, their references already followed.</summary>
internal sealed class LoadedSources : SourceReferenceResolver
{
    private readonly Dictionary<string, string> _files = [];

    /// <summary>What relative paths in a cell mean.</summary>
    public string Folder { get; set; } = Directory.GetCurrentDirectory();

    /// <summary>The text of a loaded file as it is on disk, or null.</summary>
    public string? Original(string path) => _files.ContainsKey(path) && File.Exists(path) ? File.ReadAllText(path) : null;

    /// <summary>Reads a file and returns its directives; null where it cannot be read.</summary>
    public IReadOnlyList<Directive>? Read(string path)
    {
        try
        {
            var text = File.ReadAllText(path);
            // A first line for the shell is no code.
            var (code, found) = Directive.Extract(text.StartsWith("#!", StringComparison.Ordinal) ? "//" + text[2..] : text);
            var first = !_files.ContainsKey(path);
            _files[path] = InterruptRewriter.Rewrite(code);
            return first ? found : [.. found.Where(directive => directive.Kind != "load")];
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public override string? NormalizePath(string path, string? baseFilePath) => ResolveReference(path, baseFilePath);

    /// <inheritdoc/>
    public override string? ResolveReference(string path, string? baseFilePath)
    {
        var folder = baseFilePath is not null && Path.IsPathRooted(baseFilePath) ? Path.GetDirectoryName(baseFilePath)! : Folder;
        var full = Path.GetFullPath(Path.Combine(folder, path));
        return File.Exists(full) ? full : null;
    }

    /// <inheritdoc/>
    public override Stream OpenRead(string resolvedPath)
    {
        if (!_files.ContainsKey(resolvedPath))
        {
            Read(resolvedPath);
        }

        return new MemoryStream([.. Encoding.UTF8.Preamble.ToArray(), .. Encoding.UTF8.GetBytes(_files.GetValueOrDefault(resolvedPath) ?? File.ReadAllText(resolvedPath))]);
    }

    /// <inheritdoc/>
    public override bool Equals(object? other) => ReferenceEquals(this, other);

    /// <inheritdoc/>
    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}
