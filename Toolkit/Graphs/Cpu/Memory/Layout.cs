using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>Where the values of a tensor lie in a buffer: a view is another layout of the same buffer and costs nothing.</summary>
/// <param name="Buffer">The memory.</param>
/// <param name="Offset">The first value, in elements.</param>
/// <param name="Sizes">Extents.</param>
/// <param name="Strides">Elements from one value to the next along each dimension.</param>
internal sealed record Layout(KernelBuffer Buffer, long Offset, long[] Sizes, long[] Strides)
{
    /// <summary>Type of the values.</summary>
    public ScalarType DType => Buffer.DType;

    /// <summary>Whether the values lie row after row.</summary>
    public bool IsContiguous
    {
        get
        {
            var expected = 1L;
            for (var i = Sizes.Length - 1; i >= 0; i--)
            {
                if (Sizes[i] != 1 && Strides[i] != expected)
                {
                    return false;
                }

                expected *= Sizes[i];
            }

            return true;
        }
    }

    /// <summary>Elements from the first value to the last, both counted.</summary>
    public long Span
    {
        get
        {
            var span = 1L;
            for (var i = 0; i < Sizes.Length; i++)
            {
                if (Sizes[i] == 0)
                {
                    return 0;
                }

                span += (Sizes[i] - 1) * Strides[i];
            }

            return span;
        }
    }

    /// <summary>Row after row from the start of a buffer.</summary>
    public static Layout Contiguous(KernelBuffer buffer, Shape shape) => new(buffer, 0, shape.ToArray(), [.. shape.ContiguousStrides]);

    /// <summary>Dimensions in another order.</summary>
    public Layout Permute(IReadOnlyList<long> order) =>
        this with { Sizes = [.. order.Select(d => Sizes[Dimension(d)])], Strides = [.. order.Select(d => Strides[Dimension(d)])] };

    /// <summary>Two dimensions exchanged.</summary>
    public Layout Transpose(long a, long b)
    {
        var order = Enumerable.Range(0, Sizes.Length).Select(i => (long)i).ToArray();
        if (order.Length > 0)
        {
            (order[Dimension(a)], order[Dimension(b)]) = (order[Dimension(b)], order[Dimension(a)]);
        }

        return Permute(order);
    }

    /// <summary>Dimensions of extent 1 repeated, new ones in front.</summary>
    public Layout Expand(IReadOnlyList<long> sizes)
    {
        var (result, strides) = (sizes.ToArray(), new long[sizes.Count]);
        for (var i = 1; i <= result.Length; i++)
        {
            var own = i <= Sizes.Length ? Sizes[^i] : 1;
            result[^i] = result[^i] < 0 ? own : result[^i];
            strides[^i] = i <= Sizes.Length && own == result[^i] ? Strides[^i] : 0;
        }

        return this with { Sizes = result, Strides = strides };
    }

    /// <summary>Part of a dimension.</summary>
    public Layout Slice(long dimension, long start, long length, long step)
    {
        var d = Dimension(dimension);
        return this with { Offset = Offset + (start * Strides[d]), Sizes = With(Sizes, d, length), Strides = With(Strides, d, Strides[d] * step) };
    }

    /// <summary>One place of a dimension, which goes.</summary>
    public Layout Select(long dimension, long index)
    {
        var d = Dimension(dimension);
        index = index < 0 ? index + Sizes[d] : index;
        return this with { Offset = Offset + (index * Strides[d]), Sizes = Without(Sizes, d), Strides = Without(Strides, d) };
    }

    /// <summary>The same values in another shape; null where strides cannot say it.</summary>
    public Layout? Reshape(Shape shape)
    {
        var sizes = shape.ToArray();
        if (IsContiguous || shape.Elements == 0)
        {
            return this with { Sizes = sizes, Strides = [.. shape.ContiguousStrides] };
        }

        // Runs of dimensions that lie as one are cut anew: each run of old dimensions must hold a run of new ones of as many values.
        var strides = new long[sizes.Length];
        var (old, next) = (0, 0);
        while (old < Sizes.Length || next < sizes.Length)
        {
            var (firstOld, firstNext) = (old, next);
            var (had, want) = (old < Sizes.Length ? Sizes[old++] : 1, next < sizes.Length ? sizes[next++] : 1);
            while (had != want)
            {
                if (had < want)
                {
                    had *= Sizes[old++];
                }
                else
                {
                    want *= sizes[next++];
                }
            }

            var run = Enumerable.Range(firstOld, old - firstOld).Where(d => Sizes[d] != 1).ToArray();
            for (var i = 0; i + 1 < run.Length; i++)
            {
                if (Strides[run[i]] != Strides[run[i + 1]] * Sizes[run[i + 1]])
                {
                    return null;
                }
            }

            var step = run.Length == 0 ? 1 : Strides[run[^1]];
            for (var i = next - 1; i >= firstNext; i--)
            {
                strides[i] = step;
                step *= sizes[i];
            }
        }

        return this with { Sizes = sizes, Strides = strides };
    }

    private static long[] With(long[] numbers, int index, long number)
    {
        var copy = (long[])numbers.Clone();
        copy[index] = number;
        return copy;
    }

    private static long[] Without(long[] numbers, int index) => [.. numbers.Where((_, i) => i != index)];

    private int Dimension(long dimension) => (int)(dimension < 0 ? dimension + Sizes.Length : dimension);
}
