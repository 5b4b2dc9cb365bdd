using CsCheck;
using Toolkit.Graphs.Capture;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Numbers that depend on sizes, known from what they were for some.</summary>
public sealed class SizeFormTests
{
    private static readonly Gen<long> _size = Gen.Long[2, 500];
    private static readonly Gen<long> _step = Gen.OneOf(Gen.Long[1, 16], Gen.Long[-16, -1]);
    private static readonly Gen<long> _factor = Gen.Long[-50, 50];

    [Fact]
    public void WhatIsLinearInEachSizeIsKnownForAll() => Gen.Select(_size.Array[3], _step.Array[3], _factor.Array[7], _size.Array[3]).Sample((sizes, steps, factors, others) =>
    {
        var points = new SizePoints(sizes, steps);
        var form = new SizeForm(points, [.. Enumerable.Range(0, points.Changes.Count).Select(point => Number(points.At(point)))]);
        Assert.Equal(Number(others), form.At(others));
        Assert.False(form.HasParts);
        var (number, multiples, products, divisor) = form.Sum();
        Assert.Equal(Number(others) * divisor, number + multiples.Zip(others, (factor, size) => factor * size).Sum() + products.Sum(product => product.Factor * others[product.I] * others[product.J]));
        Assert.Equal(1, divisor);
        long Number(long[] x) => factors[0] + (factors[1] * x[0]) + (factors[2] * x[1]) + (factors[3] * x[2]) + (factors[4] * x[0] * x[1]) + (factors[5] * x[0] * x[2]) + (factors[6] * x[1] * x[2]);
    });

    [Fact]
    public void PartsOfASizeAreKnownWhereTheyAreWhole() => Gen.Select(Gen.Long[1, 40], Gen.Long[2, 8], Gen.Long[1, 90]).Sample((whole, divisor, other) =>
    {
        var points = new SizePoints([whole * divisor], [divisor]);
        var form = new SizeForm(points, [whole, whole + 1]);
        Assert.True(form.HasParts);
        Assert.Equal(other % divisor == 0 ? other / divisor : null, form.At([other]));
        Assert.Equal((0, 1, divisor), (form.Sum().Number, form.Sum().Multiples[0], form.Sum().Divisor));
    });
}
