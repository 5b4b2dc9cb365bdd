using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>Where memory that kernels use comes from.</summary>
internal enum BufferKind
{
    /// <summary>A tensor given to the call.</summary>
    Input,

    /// <summary>A tensor computed once, when the graph was compiled.</summary>
    Constant,

    /// <summary>A part of the executable's own memory.</summary>
    Arena,

    /// <summary>A tensor that the call returns.</summary>
    Output,

    /// <summary>A cell in which a kernel says that its data make no sense.</summary>
    Status,

    /// <summary>A tensor that TorchSharp returned during the call.</summary>
    Result,
}

/// <summary>A piece of memory that holds a tensor's values.</summary>
internal sealed class KernelBuffer(BufferKind kind, int index, ScalarType type, long elements)
{
    /// <summary>Where it comes from.</summary>
    public BufferKind Kind { get; } = kind;

    /// <summary>Which of that kind.</summary>
    public int Index { get; } = index;

    /// <summary>Type of the values.</summary>
    public ScalarType DType { get; } = type;

    /// <summary>Number of values.</summary>
    public long Elements { get; } = elements;

    /// <summary>Bytes.</summary>
    public long Bytes => Elements * DataTypes.Size(DType);

    /// <summary>First byte within the arena.</summary>
    public long ArenaOffset { get; set; }

    /// <summary>Place in the table of addresses.</summary>
    public int Slot { get; set; } = -1;
}
