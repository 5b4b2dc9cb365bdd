namespace Toolkit.Graphs;

/// <summary>Where an input of a graph comes from.</summary>
public enum GraphInputKind
{
    /// <summary>From the caller: another tensor each call.</summary>
    Argument,

    /// <summary>A tensor that belongs to the module (a parameter, a buffer, a field): read at each call, so a new value is seen.</summary>
    Parameter,

    /// <summary>A tensor that stays what it was when the graph was captured.</summary>
    Constant,
}

/// <summary>A tensor that a graph is given.</summary>
public sealed class GraphInput : Value
{
    internal GraphInput(string name, TensorType type, GraphInputKind kind, string path)
        : base(name, type) => (Kind, Path) = (kind, path);

    /// <summary>Where it comes from.</summary>
    public GraphInputKind Kind { get; }

    /// <summary>Name that a person knows it by: an argument's name, or a parameter's path as in <c>layers.0.weight</c>.</summary>
    public string Path { get; }
}
