namespace Toolkit.Graphs.Dispatch;

/// <summary>The operators of the loaded libtorch that the vocabulary lacks: known by libtorch's own schema, run by libtorch.</summary>
internal static class LibraryOperators
{
    /// <summary>The operator of that name; null where libtorch has none, or cannot be asked.</summary>
    public static Operator? Find(string name)
    {
        if (!name.Contains("::", StringComparison.Ordinal) || name.StartsWith("toolkit::", StringComparison.Ordinal) || DispatcherCapture.Instance?.Find(name) is not { } found)
        {
            return null;
        }

        try
        {
            return found.Operator;
        }
        catch (GraphException)
        {
            // Of a kind that no graph can hold (a dictionary, a function).
            return null;
        }
    }
}
