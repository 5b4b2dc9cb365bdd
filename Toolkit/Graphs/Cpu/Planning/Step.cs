using Toolkit.Graphs.Dispatch;

namespace Toolkit.Graphs.Cpu;

/// <summary>Something that a compiled graph does.</summary>
internal abstract class Step
{
    /// <summary>The nodes that it computes.</summary>
    public required IReadOnlyList<Node> Nodes { get; init; }

    /// <summary>Memory that it reads.</summary>
    public abstract IEnumerable<KernelBuffer> Reads { get; }

    /// <summary>Memory that it writes.</summary>
    public abstract IEnumerable<KernelBuffer> Writes { get; }
}

/// <summary>A kernel of ours.</summary>
internal sealed class KernelStep : Step
{
    /// <summary>The kernel.</summary>
    public required KernelCode Code { get; set; }

    /// <summary>Which of its arguments it writes.</summary>
    public required IReadOnlyList<KernelBuffer> Outputs { get; init; }

    /// <summary>Whether it changes a part of what it writes, and so needs the rest.</summary>
    public bool IsUpdate { get; init; }

    /// <summary>Place among the kernels of the source.</summary>
    public int Kernel { get; set; } = -1;

    /// <inheritdoc/>
    public override IEnumerable<KernelBuffer> Reads => (IsUpdate ? Code.Arguments : Code.Arguments.Except(Outputs)).Where(buffer => buffer.Kind != BufferKind.Status);

    /// <inheritdoc/>
    public override IEnumerable<KernelBuffer> Writes => Outputs;
}

/// <summary>A matrix product of libtorch's, written where it belongs.</summary>
internal sealed class ProductStep : Step
{
    /// <summary>(M, N), or (B, M, N).</summary>
    public required Layout Output { get; init; }

    /// <summary>(M, K), or (B, M, K).</summary>
    public required Layout A { get; init; }

    /// <summary>(K, N), or (B, K, N).</summary>
    public required Layout B { get; init; }

    /// <summary>What is added, broadcast to (M, N); null for nothing.</summary>
    public Layout? Bias { get; init; }

    /// <summary>Factor of the product.</summary>
    public double Alpha { get; init; } = 1;

    /// <summary>Factor of what is added.</summary>
    public double Beta { get; init; } = 1;

    /// <inheritdoc/>
    public override IEnumerable<KernelBuffer> Reads => Bias is null ? [A.Buffer, B.Buffer] : [A.Buffer, B.Buffer, Bias.Buffer];

    /// <inheritdoc/>
    public override IEnumerable<KernelBuffer> Writes => [Output.Buffer];
}

/// <summary>An operator that is run through TorchSharp, or by libtorch's dispatcher.</summary>
internal sealed class FallbackStep : Step
{
    /// <summary>libtorch's own operator, for those that TorchSharp has no function for; null where TorchSharp runs it.</summary>
    public LibraryOperator? Library { get; init; }

    /// <summary>Its tensors, in the order of <see cref="OperatorCall.Values"/>.</summary>
    public required IReadOnlyList<Layout> Inputs { get; init; }

    /// <summary>What comes out.</summary>
    public required IReadOnlyList<KernelBuffer> Outputs { get; init; }

    /// <summary>Extents of what comes out.</summary>
    public required long[][] Sizes { get; init; }

    /// <summary>Its strides, row after row.</summary>
    public required long[][] Strides { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<KernelBuffer> Reads => Inputs.Select(input => input.Buffer);

    /// <inheritdoc/>
    public override IEnumerable<KernelBuffer> Writes => Outputs;
}

/// <summary>Calls a function of libtorch's: handles of the inputs in, handles of the results out; 0 for a result that was not asked for.</summary>
internal delegate void DirectCall(nint[] inputs, Span<nint> results);

/// <summary>A function of libtorch's that is called directly and makes its own results.</summary>
internal sealed class DirectStep : Step
{
    /// <summary>What it is given.</summary>
    public required IReadOnlyList<Layout> Inputs { get; init; }

    /// <summary>What comes out, as it is expected to lie.</summary>
    public required IReadOnlyList<Layout> Outputs { get; init; }

    /// <summary>Calls it.</summary>
    public required DirectCall Call { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<KernelBuffer> Reads => Inputs.Select(input => input.Buffer);

    /// <inheritdoc/>
    public override IEnumerable<KernelBuffer> Writes => Outputs.Select(output => output.Buffer);
}
