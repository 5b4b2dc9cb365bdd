using System.Collections.Immutable;

namespace Toolkit.Graphs.Dispatch;

/// <summary>The program asked an operator for a number, not for a tensor: what it did next may depend on it.</summary>
/// <param name="Operator">The operator: <c>aten::_local_scalar_dense</c>, <c>aten::equal</c>.</param>
/// <param name="Values">What it was asked about.</param>
/// <param name="Answer">What it said; booleans as 0 and 1.</param>
/// <param name="Origin">Where.</param>
public sealed record DataRead(string Operator, ImmutableArray<Value> Values, double Answer, Origin Origin)
{
    /// <summary>
    /// Whether what follows holds for all values. A tensor equals itself; and where libtorch's own modules ask whether two tensors are equal (attention, whose queries may be its keys), it is to
    /// save a product: what follows a no computes the same if they are. (In a program such a question is a graph break.)
    /// </summary>
    public bool IsCertain => Operator == "aten::equal" && (Answer == 0 || (Values.Length == 2 && ReferenceEquals(Values[0], Values[1])));

    /// <summary>As in <c>aten::equal(%1, %2) = 1</c>.</summary>
    public override string ToString() => FormattableString.Invariant($"{Operator}({string.Join(", ", Values.Select(value => $"%{value.Name}"))}) = {Answer}{(Origin == Origin.None ? "" : $" ({Origin})")}");
}
