namespace Toolkit.Graphs;

/// <summary>A place in a program that capture cannot go past: a graph ends there.</summary>
/// <param name="Reason">What stands there.</param>
/// <param name="Advice">What to write instead.</param>
/// <param name="Origin">Where it is.</param>
public sealed record GraphBreak(string Reason, string Advice, Origin Origin)
{
    /// <summary>As in <c>Gate.forward Model.cs:12: Tensor.item reads a value; use torch.where</c>.</summary>
    public override string ToString() => $"{(Origin == Origin.None ? "" : $"{Origin}: ")}{Reason}{(Advice == "" ? "" : $"; {Advice}")}";
}

/// <summary>A module cannot be captured whole, where that was asked for.</summary>
public sealed class GraphBreakException : Exception
{
    /// <summary>Because of this break.</summary>
    public GraphBreakException(GraphBreak graphBreak)
        : base(graphBreak.ToString()) => Break = graphBreak;

    /// <summary>What is in the way.</summary>
    public GraphBreak Break { get; }
}
