using System.Collections.Immutable;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Rules by which types of outputs follow from a call.</summary>
internal static class Inference
{
    /// <summary>A dimension counted from the front.</summary>
    public static int Dimension(OperatorCall call, long dimension, int rank)
    {
        var least = Math.Max(1, rank);
        return dimension >= -least && dimension < least
            ? (int)(dimension < 0 ? dimension + least : dimension)
            : throw new GraphException($"{call.Operator.Name}: there is no dimension {dimension} among {rank}");
    }

    /// <summary>The dimension that a parameter names.</summary>
    public static int Dimension(OperatorCall call, string parameter, int rank) => Dimension(call, call.Integer(parameter), rank);

    /// <summary>The dimensions that a parameter names, in increasing order; all of them where it names none.</summary>
    public static int[] Dimensions(OperatorCall call, string parameter, int rank) =>
        call.Integers(parameter) is { Length: > 0 } given ? [.. given.Select(d => Dimension(call, d, rank)).Distinct().Order()] : [.. Enumerable.Range(0, rank)];

    /// <summary>The shape that all tensors of a call have together, and where they are.</summary>
    public static TensorType Broadcast(OperatorCall call, ScalarType type)
    {
        Shape shape = [];
        string? device = null;
        foreach (var value in call.Values)
        {
            shape = Shape.Broadcast(shape, value.Type.Shape)
                ?? throw new GraphException($"{call.Operator.Name}: the shapes {string.Join(", ", call.Values.Select(v => v.Type.Shape))} do not fit together");
            if (device is null or "cpu" && (device is null || value.Type.Device != "cpu"))
            {
                device = value.Type.Device;
            }
        }

        return new(type, shape, device ?? "cpu");
    }

    /// <summary>The shape without some dimensions, or with 1 in their place.</summary>
    public static Shape Reduce(Shape shape, int[] dimensions, bool keep) =>
        keep
            ? [.. shape.Select((size, i) => dimensions.Contains(i) ? 1 : size)]
            : [.. shape.Where((_, i) => !dimensions.Contains(i))];

    /// <summary>With another extent in one dimension.</summary>
    public static Shape With(Shape shape, int dimension, long size) => shape.Count == 0 ? shape : [.. shape.Select((old, i) => i == dimension ? size : old)];

    /// <summary>Extents of which one may be -1: whatever makes the number of values right.</summary>
    public static Shape Resolve(OperatorCall call, ImmutableArray<long> sizes, Shape from)
    {
        var known = sizes.Where(size => size >= 0).Aggregate(1L, (product, size) => product * size);
        var open = sizes.Count(size => size == -1);
        Shape? shape = open switch
        {
            0 => [.. sizes],
            1 when known > 0 && from.Elements % known == 0 => [.. sizes.Select(size => size == -1 ? from.Elements / known : size)],
            _ => null,
        };
        return shape is { } resolved && resolved.Elements == from.Elements
            ? resolved
            : throw new GraphException($"{call.Operator.Name}: {from} cannot be seen as [{string.Join(", ", sizes)}]");
    }

    /// <summary>Begin, end and step of a slice, as numbers within the extent.</summary>
    public static (long Start, long End, long Step, long Length) Slice(OperatorCall call, long extent)
    {
        var start = Clamp(call.Has("start") ? call.Integer("start") : 0, extent);
        var end = Math.Max(start, Clamp(call.Has("end") ? call.Integer("end") : extent, extent));
        var step = call.Integer("step");
        return step > 0 ? (start, end, step, (end - start + step - 1) / step) : throw new GraphException($"{call.Operator.Name}: a slice has no step {step}");
    }

    /// <summary>The only kind of argument that several tensors must agree in.</summary>
    public static void Require(bool condition, OperatorCall call, string message)
    {
        if (!condition)
        {
            throw new GraphException($"{call.Operator.Name}: {message} ({string.Join(", ", call.Values.Select(value => value.Type))})");
        }
    }

    /// <summary>Tensors of parameters that an operator may have and a call may give are of one shape: kernels read as many values of them.</summary>
    public static void RequireShape(OperatorCall call, Shape shape, params ReadOnlySpan<string> parameters)
    {
        foreach (var parameter in parameters)
        {
            Require(!call.Operator.Parameters.Any(own => own.Name == parameter) || !call.Has(parameter) || call.Type(parameter).Shape == shape, call, $"\"{parameter}\" of the shape {shape} is wanted");
        }
    }

    /// <summary>Two integers from one or two.</summary>
    public static long[] Expand(ImmutableArray<long> numbers, int count) => numbers.Length == count ? [.. numbers] : [.. Enumerable.Repeat(numbers[0], count)];

    /// <summary>What stands for a gradient that nobody asked for: no values.</summary>
    public static TensorType Nothing(TensorType like) => new(like.DType, [0], like.Device);

    private static long Clamp(long index, long extent) => Math.Clamp(index < 0 ? index + extent : index, 0, extent);
}
