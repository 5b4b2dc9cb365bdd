using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <summary>One instruction of a method.</summary>
/// <param name="Code">What it does.</param>
/// <param name="Offset">Where it stands, in bytes.</param>
internal sealed record Instruction(ILOpCode Code, int Offset)
{
    /// <summary>Its integer: a constant, the number of a local or an argument, a metadata token, the place of the instruction that it jumps to.</summary>
    public long Integer { get; set; }

    /// <summary>Its real number.</summary>
    public double Real { get; init; }

    /// <summary>Places that a switch jumps to.</summary>
    public int[] Targets { get; set; } = [];

    /// <summary>What its token names, once it was resolved.</summary>
    public object? Member { get; set; }

    /// <summary>What executes it, once it was looked up.</summary>
    public Delegate? Handler { get; set; }

    /// <summary>The number of the local or argument, or the place jumped to.</summary>
    public int Number => (int)Integer;
}
