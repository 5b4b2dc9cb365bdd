namespace Toolkit.Graphs.Cpu;

/// <summary>
/// What a loop runs over: the extents of a tensor without those of 1, of which the last ones (<see cref="Rows"/> and after) are reduced together. Values of a loop have all of
/// these dimensions ("full"), or those before <see cref="Rows"/> ("row").
/// </summary>
/// <param name="Shape">Extents, none of them 1.</param>
/// <param name="Rows">Number of dimensions that are not reduced; null while nothing is.</param>
internal sealed record LoopDomain(Shape Shape, int? Rows)
{
    /// <summary>Extents of a row value.</summary>
    public Shape RowShape => Shape.Create(Shape.Take(Rows ?? Shape.Count).ToArray());

    /// <summary>A shape without extents of 1.</summary>
    public static Shape Canonical(Shape shape) => Shape.Create(shape.Where(size => size != 1).ToArray());

    /// <summary>Whether it is the shape of a full value.</summary>
    public bool IsFull(Shape shape) => Canonical(shape) == Shape;

    /// <summary>Whether it is the shape of a row value.</summary>
    public bool IsRow(Shape shape) => Rows is not null && Canonical(shape) == RowShape;

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
            if (axis < Rows ? extent != full[i] : extent != 1)
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
            return a.Rows is null || b.Rows is null || a.Rows == b.Rows ? a with { Rows = a.Rows ?? b.Rows } : null;
        }

        // Pointwise operations on what a reduction leaves.
        return b.Rows is null && a.IsRow(b.Shape) ? a : a.Rows is null && b.IsRow(a.Shape) ? b : null;
    }
}
