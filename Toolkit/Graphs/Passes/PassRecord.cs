namespace Toolkit.Graphs.Passes;

/// <summary>What a pass did.</summary>
/// <param name="Pass">Its name.</param>
/// <param name="Before">The graph that it was given.</param>
/// <param name="After">The graph that it made.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record PassRecord(string Pass, Graph Before, Graph After, TimeSpan Elapsed)
{
    /// <summary>As in <c>common subexpressions: 110 operations became 101 in 6.5 ms</c>.</summary>
    public override string ToString() => FormattableString.Invariant($"{Pass}: {Quantity.Of(Before.Nodes.Length, "operation")} became {After.Nodes.Length} in {Elapsed.TotalMilliseconds:0.0} ms");
}
