using System.Numerics;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// What a loop runs over: the extents of a tensor without those of 1, of which some are reduced together. The loop takes the others first ("rows"), then the reduced ones. Values of a
/// loop have all of these dimensions ("full"), or those that are not reduced ("row").
/// </summary>
/// <param name="Shape">Extents, none of them 1, in the order of the tensor.</param>
/// <param name="Reduced">The dimensions that are reduced, a bit for each; null while nothing is.</param>
internal sealed record LoopDomain(Shape Shape, ulong? Reduced)
{
    /// <summary>Number of dimensions that are not reduced; null while nothing is.</summary>
    public int? Rows => Reduced is { } mask ? Shape.Count - BitOperations.PopCount(mask) : null;

    /// <summary>Extents of a row value.</summary>
    public Shape RowShape => Shape.Create(Shape.Where((_, axis) => !IsReduced(axis)).ToArray());

    /// <summary>Number of values that are reduced to one; 1 while nothing is.</summary>
    public long RowLength => Shape.Where((_, axis) => IsReduced(axis)).Aggregate(1L, (product, size) => product * size);

    /// <summary>The dimensions in the order of the loop.</summary>
    public int[] Order => [.. Enumerable.Range(0, Shape.Count).OrderBy(IsReduced)];

    /// <summary>The last dimension alone is within a row, the others count rows.</summary>
    public static LoopDomain RowsOf(Shape shape) => new(shape, shape.Count == 0 ? null : 1UL << (shape.Count - 1));

    /// <summary>A shape without extents of 1.</summary>
    public static Shape Canonical(Shape shape) => Shape.Create(shape.Where(size => size != 1).ToArray());

    /// <summary>Whether a dimension is reduced.</summary>
    public bool IsReduced(int axis) => Reduced is { } mask && (mask >> axis & 1) != 0;

    /// <summary>Whether it is the shape of a full value.</summary>
    public bool IsFull(Shape shape) => Canonical(shape) == Shape;

    /// <summary>Whether it is the shape of a row value.</summary>
    public bool IsRow(Shape shape) => Reduced is not null && Canonical(shape) == RowShape;

    /// <summary>Whether a row value of a shape, broadcast to a full one, stands at its own rows (and not, by accident of equal extents, elsewhere).</summary>
    public bool IsAligned(Shape row, Shape full)
    {
        var axis = 0;
        for (var i = 0; i < full.Count; i++)
        {
            if (full[i] == 1)
            {
                continue;
            }

            var fromEnd = full.Count - i;
            var extent = fromEnd <= row.Count ? row[^fromEnd] : 1;
            if (IsReduced(axis) ? extent != 1 : extent != full[i])
            {
                return false;
            }

            axis++;
        }

        return true;
    }

    /// <summary>The two together; null where they do not fit.</summary>
    public static LoopDomain? Join(LoopDomain a, LoopDomain b)
    {
        if (a.Shape == b.Shape)
        {
            return a.Reduced is null || b.Reduced is null || a.Reduced == b.Reduced ? a with { Reduced = a.Reduced ?? b.Reduced } : null;
        }

        // Pointwise operations on what a reduction leaves.
        return b.Reduced is null && a.IsRow(b.Shape) ? a : a.Reduced is null && b.IsRow(a.Shape) ? b : null;
    }
}
