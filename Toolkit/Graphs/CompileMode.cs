namespace Toolkit.Graphs;

/// <summary>How far a captured graph is taken. Less than <see cref="Kernels"/> shows which step is at fault, or what it brings.</summary>
public enum CompileMode
{
    /// <summary>Simplified and compiled into kernels.</summary>
    Kernels,

    /// <summary>Simplified, then run operation by operation.</summary>
    Simplified,

    /// <summary>As it was captured, run operation by operation.</summary>
    Captured,
}
