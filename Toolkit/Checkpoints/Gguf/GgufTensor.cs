namespace Toolkit.Checkpoints;

/// <summary>What a GGUF file says of one tensor. It is checked before anyone sees it.</summary>
public sealed class GgufTensor
{
    private readonly long[] _shape;

    internal GgufTensor(string name, GgufLayout layout, long[] shape, long offset, long byteCount)
    {
        Name = name;
        Layout = layout;
        _shape = shape;
        Offset = offset;
        ByteCount = byteCount;
    }

    /// <summary>Its name in the file, such as blk.0.attn_q.weight.</summary>
    public string Name { get; }

    /// <summary>How its numbers are stored.</summary>
    public GgufType Type => Layout.Type;

    /// <summary>Extent of every dimension, the outermost first as in TorchSharp (the file has them the other way round).</summary>
    public long[] Shape => [.. _shape];

    /// <summary>First byte, counted from where the file's data begins.</summary>
    public long Offset { get; }

    /// <summary>Bytes of data.</summary>
    public long ByteCount { get; }

    internal GgufLayout Layout { get; }

    internal ReadOnlySpan<long> Dimensions => _shape;

    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {Type} [{string.Join(", ", _shape)}]";
}
