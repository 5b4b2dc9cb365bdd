namespace Toolkit.Graphs;

/// <summary>A dimension of an argument whose size differs from call to call: the time of a sequence, the batch.</summary>
/// <param name="Argument">Number of the argument of <c>forward</c>, from 0; it is a tensor.</param>
/// <param name="Dimension">The dimension, from 0; negative ones count from the end.</param>
public readonly record struct DynamicDimension(int Argument, int Dimension)
{
    /// <summary>As in <c>dimension 1 of argument 0</c>.</summary>
    public override string ToString() => $"dimension {Dimension} of argument {Argument}";
}
