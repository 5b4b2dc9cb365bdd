namespace Toolkit.Graphs;

/// <summary>A graph that makes no sense, or one that cannot be made.</summary>
public sealed class GraphException : Exception
{
    /// <summary>For this reason.</summary>
    public GraphException(string message)
        : base(message)
    {
    }

    /// <summary>For this reason, which has another.</summary>
    public GraphException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
