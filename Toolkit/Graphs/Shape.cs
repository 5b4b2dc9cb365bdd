using System.Collections;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs;

/// <summary>Extent of every dimension of a tensor; equal when all of them are.</summary>
[CollectionBuilder(typeof(Shape), nameof(Create))]
public readonly struct Shape : IReadOnlyList<long>, IEquatable<Shape>
{
    private readonly ImmutableArray<long> _sizes;

    private Shape(ImmutableArray<long> sizes) => _sizes = sizes;

    /// <summary>Number of dimensions; 0 for a scalar.</summary>
    public int Count => Sizes.Length;

    /// <summary>Number of values: the product of the extents.</summary>
    public long Elements => Sizes.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>Strides of such a tensor that lies row after row, in elements.</summary>
    public ImmutableArray<long> ContiguousStrides
    {
        get
        {
            var strides = new long[Count];
            for (var (i, step) = (Count - 1, 1L); i >= 0; i--)
            {
                strides[i] = step;
                step *= Math.Max(1, this[i]);
            }

            return [.. strides];
        }
    }

    private ImmutableArray<long> Sizes => _sizes.IsDefault ? [] : _sizes;

    /// <summary>Extent of a dimension; negative ones count from the end.</summary>
    public long this[int dimension] => Sizes[dimension < 0 ? dimension + Count : dimension];

    /// <summary>Whether two shapes are the same.</summary>
    public static bool operator ==(Shape a, Shape b) => a.Equals(b);

    /// <summary>Whether two shapes differ.</summary>
    public static bool operator !=(Shape a, Shape b) => !a.Equals(b);

    /// <summary>A shape of these extents.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is negative.</exception>
    public static Shape Create(ReadOnlySpan<long> sizes)
    {
        foreach (var size in sizes)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(sizes));
        }

        return new([.. sizes]);
    }

    /// <summary>The shape that two shapes have together under broadcasting; null where they do not fit.</summary>
    public static Shape? Broadcast(Shape a, Shape b)
    {
        var sizes = new long[Math.Max(a.Count, b.Count)];
        for (var i = 1; i <= sizes.Length; i++)
        {
            var (x, y) = (i <= a.Count ? a[^i] : 1, i <= b.Count ? b[^i] : 1);
            if (x != y && x != 1 && y != 1)
            {
                return null;
            }

            sizes[^i] = x == 1 ? y : x;
        }

        return Create(sizes);
    }

    /// <summary>The extents, for an interface that wants an array.</summary>
    public long[] ToArray() => [.. Sizes];

    /// <inheritdoc/>
    public bool Equals(Shape other) => Sizes.AsSpan().SequenceEqual(other.Sizes.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Sizes.Aggregate(Count, HashCode.Combine);

    /// <inheritdoc/>
    public IEnumerator<long> GetEnumerator() => Sizes.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>As in <c>[2, 16, 64]</c>.</summary>
    public override string ToString() => $"[{string.Join(", ", Sizes)}]";
}
