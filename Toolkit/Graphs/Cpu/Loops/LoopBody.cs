namespace Toolkit.Graphs.Cpu;

/// <summary>A loop over a domain: what is read, computed and written for each place.</summary>
internal sealed class LoopBody
{
    /// <summary>Extents: rows, then what is within a row.</summary>
    public required long[] Extents { get; init; }

    /// <summary>How many of the extents count rows.</summary>
    public required int Rows { get; init; }

    /// <summary>What is read and written.</summary>
    public required IReadOnlyList<LoopOperand> Operands { get; init; }

    /// <summary>Every value, in order.</summary>
    public required IReadOnlyList<Expression> Expressions { get; init; }

    /// <summary>What is written where, and whether for each place of a row.</summary>
    public required IReadOnlyList<(LoopOperand Output, Expression Value, bool IsFull)> Stores { get; init; }

    /// <summary>Whether it can be computed with vectors of floats.</summary>
    public bool IsVector =>
        Operands.All(operand => NumberKinds.IsVector(operand.DType)) && Expressions.All(expression => expression.Kind is NumberKind.Float or NumberKind.Boolean);

    /// <summary>Whether something is summed or compared over a row.</summary>
    public bool HasReductions => Expressions.Any(expression => expression.Reduction is not null);
}
