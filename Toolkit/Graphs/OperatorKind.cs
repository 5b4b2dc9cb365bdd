namespace Toolkit.Graphs;

/// <summary>What passes and back ends need to know of an operator.</summary>
public enum OperatorKind
{
    /// <summary>Nothing special: it is run as it is.</summary>
    Other,

    /// <summary>Each output value depends on the input values at its place, with broadcasting.</summary>
    Pointwise,

    /// <summary>Sums, greatest values and the like over some dimensions.</summary>
    Reduction,

    /// <summary>The same values seen otherwise: a reshape, a transpose, a slice.</summary>
    View,

    /// <summary>A matrix product.</summary>
    Product,

    /// <summary>New values from nothing but numbers.</summary>
    Factory,

    /// <summary>Depends on a generator of random numbers.</summary>
    Random,

    /// <summary>Several operations in one, with a body.</summary>
    Fused,
}
