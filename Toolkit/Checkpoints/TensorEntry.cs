using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>What a file says about one tensor. Entries are checked before anyone sees them.</summary>
public sealed class TensorEntry
{
    private readonly long[] _shape;

    internal TensorEntry(ElementType type, long[] shape, long begin, long end)
    {
        Type = type;
        _shape = shape;
        Begin = begin;
        End = end;
    }

    /// <summary>Element type as safetensors spells it: F32, BF16, I64, BOOL, ...; or the type of a GGUF file's blocks: Q8_0, Q4_K, ...</summary>
    public string DataType => Type.Name;

    /// <summary>The same element type in TorchSharp, float32 for blocks, which load as that; null where TorchSharp has none (F8_E4M3, F8_E5M2, F8_E8M0, U16, U32, U64).</summary>
    public ScalarType? ScalarType => Type.ScalarType;

    /// <summary>Extent of every dimension; empty for a scalar. Each call gives a copy, so an entry stays what was checked.</summary>
    public long[] Shape => [.. _shape];

    /// <summary>First byte, counted from where the file's data begins.</summary>
    public long Begin { get; }

    /// <summary>The byte after the last one, counted from there too.</summary>
    public long End { get; }

    /// <summary>Bytes of data.</summary>
    public long ByteCount => End - Begin;

    internal ElementType Type { get; }

    internal ReadOnlySpan<long> Dimensions => _shape;

    /// <inheritdoc/>
    public override string ToString() => $"{DataType} [{string.Join(", ", _shape)}] at {Begin}..{End}";
}
