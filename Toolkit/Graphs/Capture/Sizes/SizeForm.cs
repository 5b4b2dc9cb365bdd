namespace Toolkit.Graphs.Capture;

/// <summary>A number that depends on sizes: on each of them linearly, and on products of two.</summary>
/// <param name="Points">Where it was seen.</param>
/// <param name="Values">What it was there.</param>
internal sealed record SizeForm(SizePoints Points, long[] Values)
{
    /// <summary>Whether it depends on no size.</summary>
    public bool IsConstant => Array.TrueForAll(Values, value => value == Values[0]);

    /// <summary>Whether it depends on a size.</summary>
    public bool DependsOn(int size) => Values[Points.IndexOf(size)] != Values[0] || Points.Changes.Where((change, k) => change.J >= 0 && (change.I == size || change.J == size) && Together(k) != 0).Any();

    /// <summary>Whether it is no sum of multiples of sizes.</summary>
    public bool HasParts => Enumerable.Range(0, Points.Base.Length).Any(i => (Values[Points.IndexOf(i)] - Values[0]) % Points.Steps[i] != 0);

    /// <summary>What it is for some sizes; null where that would be no whole number.</summary>
    public long? At(ReadOnlySpan<long> sizes)
    {
        var all = (Int128)1;
        foreach (var step in Points.Steps)
        {
            all *= step;
        }

        var total = Values[0] * all;
        for (var k = 1; k < Values.Length; k++)
        {
            var (i, j) = Points.Changes[k];
            Int128 term = sizes[i] - Points.Base[i];
            if (j < 0)
            {
                total += (Values[k] - Values[0]) * term * (all / Points.Steps[i]);
            }
            else
            {
                total += Together(k) * term * (sizes[j] - Points.Base[j]) * (all / Points.Steps[i] / Points.Steps[j]);
            }
        }

        return total % all == 0 ? (long)(total / all) : null;
    }

    /// <summary>The same as a sum: a number, multiples of sizes, and multiples of products of two, all of it divided by a number.</summary>
    public (long Number, long[] Multiples, IReadOnlyList<(int I, int J, long Factor)> Products, long Divisor) Sum()
    {
        var divisor = Points.Steps.Aggregate(1L, (product, step) => checked(product * step));
        var (number, multiples, products) = (checked(Values[0] * divisor), new long[Points.Base.Length], new List<(int I, int J, long Factor)>());
        for (var k = 1; k < Values.Length; k++)
        {
            var (i, j) = Points.Changes[k];
            if (j < 0)
            {
                var factor = checked((Values[k] - Values[0]) * (divisor / Points.Steps[i]));
                multiples[i] += factor;
                number -= checked(factor * Points.Base[i]);
            }
            else
            {
                // (a - a₀)(b - b₀) = ab - b₀a - a₀b + a₀b₀
                var factor = checked(Together(k) * (divisor / Points.Steps[i] / Points.Steps[j]));
                products.Add((i, j, factor));
                multiples[i] -= checked(factor * Points.Base[j]);
                multiples[j] -= checked(factor * Points.Base[i]);
                number += checked(factor * Points.Base[i] * Points.Base[j]);
            }
        }

        var common = multiples.Concat(products.Select(product => product.Factor)).Prepend(number).Aggregate(divisor, Common);
        common = Math.Sign(divisor) * Math.Abs(common);
        return (number / common, [.. multiples.Select(factor => factor / common)], [.. products.Select(product => product with { Factor = product.Factor / common }).Where(product => product.Factor != 0)], divisor / common);
    }

    private static long Common(long a, long b)
    {
        while (b != 0)
        {
            (a, b) = (b, a % b);
        }

        return a;
    }

    /// <summary>By how much more two sizes change it than each alone.</summary>
    private long Together(int point) => Values[point] - Values[Points.IndexOf(Points.Changes[point].I)] - Values[Points.IndexOf(Points.Changes[point].J)] + Values[0];

    /// <inheritdoc/>
    public bool Equals(SizeForm? other) => other is not null && Values.AsSpan().SequenceEqual(other.Values);

    /// <inheritdoc/>
    public override int GetHashCode() => Values.Aggregate(Values.Length, HashCode.Combine);
}

/// <summary>Sizes for which a call was seen: some, then with each of them changed, then with each two of them changed.</summary>
/// <param name="Base">The first sizes.</param>
/// <param name="Steps">By how much each is changed.</param>
internal sealed record SizePoints(long[] Base, long[] Steps)
{
    /// <summary>Which sizes are changed in each; -1 for none.</summary>
    public IReadOnlyList<(int I, int J)> Changes { get; } =
    [
        (-1, -1), .. Enumerable.Range(0, Base.Length).Select(i => (i, -1)),
        .. Enumerable.Range(0, Base.Length).SelectMany(i => Enumerable.Range(i + 1, Base.Length - i - 1).Select(j => (i, j))),
    ];

    /// <summary>The sizes of a point.</summary>
    public long[] At(int point) => [.. Base.Select((size, i) => size + (Changes[point].I == i || Changes[point].J == i ? Steps[i] : 0))];

    /// <summary>The point at which one size alone is changed.</summary>
    public int IndexOf(int size) => size + 1;
}
