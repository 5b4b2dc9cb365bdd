namespace Toolkit.Graphs.Cpu;

/// <summary>A value inside a loop.</summary>
internal sealed class Expression
{
    /// <summary>Number, in order of computation.</summary>
    public required int Id { get; init; }

    /// <summary>C# with {0}, {1} for the arguments; the functions are those of the prelude and exist for vectors and for single numbers. For a constant: the literal.</summary>
    public required string Template { get; init; }

    /// <summary>What it is computed from.</summary>
    public required Expression[] Arguments { get; init; }

    /// <summary>What it is.</summary>
    public required NumberKind Kind { get; init; }

    /// <summary>Whether there is one for each place of a row (else one for a row).</summary>
    public required bool IsFull { get; init; }

    /// <summary>How many passes over a row must be done before it can be computed.</summary>
    public required int Level { get; init; }

    /// <summary>What it is read from, for a load.</summary>
    public LoopOperand? Operand { get; init; }

    /// <summary>What combines the values of a row, for a reduction.</summary>
    public Reduction? Reduction { get; init; }

    /// <summary>Whether it is a number known when the kernel is written.</summary>
    public bool IsConstant { get; init; }

    /// <summary>Rough number of instructions of itself.</summary>
    public int Cost => Operand is not null || IsConstant ? 0 : Expressions.Cost(Template);
}

/// <summary>How the values of a row become one.</summary>
internal enum Reduction
{
    /// <summary>Their sum.</summary>
    Sum,

    /// <summary>Their product.</summary>
    Product,

    /// <summary>The greatest.</summary>
    Greatest,

    /// <summary>The least.</summary>
    Least,
}

/// <summary>Facts of templates.</summary>
internal static class Expressions
{
    private static readonly (string Name, int Cost)[] _costs =
        [("GeluTanh(", 26), ("Gelu(", 20), ("Silu(", 22), ("Exp(", 20), ("ExpNegative(", 17), ("Tanh(", 18), ("Sigmoid(", 26), ("Erf(", 20), ("Log(", 30), ("Log1p(", 200), ("Sin(", 60), ("Cos(", 60), ("Pow(", 400), ("Sqrt(", 8), ("RoundToBFloat16(", 7), (" / ", 5)];

    /// <summary>Rough number of instructions.</summary>
    public static int Cost(string template) => Math.Max(1, _costs.FirstOrDefault(entry => template.Contains(entry.Name, StringComparison.Ordinal)).Cost);
}
