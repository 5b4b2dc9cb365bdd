namespace Toolkit.Graphs.Passes;

/// <summary>Makes a graph that computes the same from a graph.</summary>
public interface IGraphPass
{
    /// <summary>What it is called where passes are listed.</summary>
    string Name { get; }

    /// <summary>The other graph.</summary>
    /// <exception cref="GraphException">It cannot be made.</exception>
    Graph Run(Graph graph);
}
