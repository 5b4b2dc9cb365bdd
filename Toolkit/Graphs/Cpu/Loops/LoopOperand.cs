using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>A tensor that a loop reads or writes.</summary>
internal sealed class LoopOperand
{
    /// <summary>Place among the loop's operands.</summary>
    public required int Index { get; init; }

    /// <summary>The memory; null for what the kernel itself has just computed.</summary>
    public required KernelBuffer? Buffer { get; init; }

    /// <summary>Type of the values.</summary>
    public required ScalarType DType { get; init; }

    /// <summary>First value, in elements.</summary>
    public required long Offset { get; init; }

    /// <summary>Elements from one value to the next, for each dimension of the loop.</summary>
    public required long[] Strides { get; set; }

    /// <summary>Whether the loop writes it.</summary>
    public required bool IsOutput { get; init; }

    /// <summary>Name in the code.</summary>
    public string Name => $"{(IsOutput ? 'y' : 'x')}{Index}";
}
