namespace Toolkit.Notebook;

/// <summary>A file is not a notebook that can be read. The message names the file and, where known, the place in it.</summary>
public sealed class NotebookFormatException(string message, Exception? inner = null) : Exception(message, inner);
