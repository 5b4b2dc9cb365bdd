namespace Toolkit.Notebook.Documents;

/// <summary>Notebook files by their extension: <c>.ipynb</c> and <c>.dib</c>.</summary>
public static class DocumentFile
{
    /// <summary>Whether the extension is one of a notebook.</summary>
    public static bool IsNotebook(string path) => Path.GetExtension(path).ToLowerInvariant() is ".ipynb" or ".dib";

    /// <summary>Reads a notebook.</summary>
    /// <exception cref="NotebookFormatException">It is missing, or not a notebook.</exception>
    public static NotebookDocument Load(string path)
    {
        if (!IsDib(path))
        {
            return NotebookDocument.Load(path);
        }

        try
        {
            return DibFormat.Read(File.ReadAllText(path), path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new NotebookFormatException($"{path}: cannot be read: {error.Message}", error);
        }
    }

    /// <summary>Writes a notebook.</summary>
    /// <exception cref="ArgumentException">The extension is not one of a notebook.</exception>
    public static void Save(NotebookDocument document, string path)
    {
        if (!IsNotebook(path))
        {
            throw new ArgumentException($"{path}: expected a file that ends in .ipynb or .dib.");
        }

        if (!IsDib(path))
        {
            document.Save(path);
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        File.WriteAllText(path + ".part", DibFormat.Write(document));
        File.Move(path + ".part", path, overwrite: true);
    }

    private static bool IsDib(string path) => Path.GetExtension(path).Equals(".dib", StringComparison.OrdinalIgnoreCase);
}
