namespace Toolkit.Graphs;

/// <summary>A tensor of a graph: an input, or an output of a node. Two values are the same only if they are one object.</summary>
public class Value
{
    internal Value(string name, TensorType type) => (Name, Type) = (name, type);

    /// <summary>Its name in the graph, without the percent sign.</summary>
    public string Name { get; }

    /// <summary>What is known of it.</summary>
    public TensorType Type { get; }

    /// <summary>The node that computes it; null for an input.</summary>
    public Node? Producer { get; internal set; }

    /// <summary>Which output of the producer it is.</summary>
    public int Index { get; internal set; }

    /// <summary>As in <c>%3: f32[2, 16]</c>.</summary>
    public override string ToString() => $"%{Name}: {Type}";
}
