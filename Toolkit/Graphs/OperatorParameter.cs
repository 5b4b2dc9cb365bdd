namespace Toolkit.Graphs;

/// <summary>A parameter of an operator.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type as ATen's schemas write it, without the alias: <c>Tensor</c>, <c>Tensor?</c>, <c>Tensor[]</c>, <c>int[]</c>, <c>Scalar</c>, <c>float</c>, <c>bool</c>, <c>ScalarType?</c>, ...</param>
/// <param name="Default">What is meant where it is not given; null where it must be.</param>
/// <param name="IsAliased">Whether an output may share its memory (a view).</param>
/// <param name="IsWritten">Whether the operator changes it.</param>
public sealed record OperatorParameter(string Name, string Type, Argument? Default, bool IsAliased, bool IsWritten)
{
    /// <summary>Whether it takes tensors.</summary>
    public bool IsTensor => Type.StartsWith("Tensor", StringComparison.Ordinal);
}
