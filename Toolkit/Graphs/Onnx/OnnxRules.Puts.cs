using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Values put at places, and parts that are no slices.</content>
internal static partial class OnnxRules
{
    private static void Puts(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        One("scatter.src", c => c.Add("ScatterElements", [c["self"], c["index"], Given(c)], ("axis", c.Dimension("dim"))));
        One("scatter_add", c => c.Add("ScatterElements", [c["self"], c["index"], Given(c)], ("axis", c.Dimension("dim")), ("reduction", "add")));
        One("scatter.value", c => c.Add("ScatterElements", [c["self"], c["index"], Everywhere(c, "value", c.ShapeOf("index"))], ("axis", c.Dimension("dim"))));
        One("index_add", c => c.Add(
            "ScatterElements",
            [c["self"], Along(c, c.ShapeOf("source")), c.Call.Number("alpha") == 1 ? c["source"] : c.Times(c["source"], c.Number(c.Call.Number("alpha")))],
            ("axis", c.Dimension("dim")),
            ("reduction", "add")));
        One("index_copy", c => c.Add("ScatterElements", [c["self"], Along(c, c.ShapeOf("source")), c["source"]], ("axis", c.Dimension("dim"))));
        One("index_fill.int_Scalar", c =>
        {
            var part = Inference.With(c.Shape, (int)c.Dimension("dim"), c.ShapeOf("index").Elements);
            return c.Add("ScatterElements", [c["self"], Along(c, part), Everywhere(c, "value", part)], ("axis", c.Dimension("dim")));
        });
        One("index_put", IndexPut);
        One("take", c => c.Add("Gather", [c.Reshape(c["self"], [c.ShapeOf("self").Elements]), c["index"]], ("axis", 0)));
        One("one_hot", c => c.Add("OneHot", [c["self"], c.Ints(c.Call.Integer("num_classes")), c.Ints(0, 1)]));
        One("diagonal", c => Flat(c, out var places, out _, out _) is var flat ? c.Add("Gather", [flat, places], ("axis", -1)) : "");
        One("diagonal_scatter", DiagonalScatter);
        One("diag_embed", Embedded);
        One("block_diag", Blocks);
        One("trace", c =>
        {
            var (rows, columns) = (c.ShapeOf("self")[0], c.ShapeOf("self")[1]);
            var diagonal = c.Add("Gather", [c.Reshape(c["self"], [rows * columns]), c.Constant(OnnxCall.Counting(Math.Min(rows, columns)).Select(i => i * (columns + 1)), Math.Min(rows, columns))], ("axis", 0));
            return c.Reduce("ReduceSum", c.Cast(diagonal, c.Call.Type("self").DType, c.Type.DType), [0], false);
        });
        One("unfold", c =>
        {
            var (dim, size, rank) = ((int)Inference.Dimension(c.Call, c.Call.Integer("dimension"), c.Shape.Count - 1), c.Call.Integer("size"), c.Shape.Count);
            var step = c.Call.Integer("step");
            var places = c.Constant(OnnxCall.Counting(c.Shape[dim]).SelectMany(window => OnnxCall.Counting(size).Select(i => (window * step) + i)), c.Shape[dim], size);
            var windows = c.Add("Gather", [c["self"], places], ("axis", dim)); // (.., windows, size, ..)
            return c.Transpose(windows, [.. Enumerable.Range(0, rank).Where(d => d != dim + 1).Select(d => (long)d), dim + 1]);
        });
        One("_reshape_alias", c => c.Reshape(c["self"], c.Shape));
        foreach (var (name, values) in new[] { ("bucketize.Tensor", "self"), ("searchsorted.Tensor", "self") })
        {
            One(name, c =>
            {
                var sorted = name.StartsWith('b') ? "boundaries" : "sorted_sequence";
                var isRight = c.Call.Flag("right") || (name.StartsWith('s') && c.Call.Has("side") && c.Call.Text("side") == "right");
                if (c.ShapeOf(sorted).Count != 1)
                {
                    throw c.Unfit("boundaries of more than one dimension are not written");
                }

                var type = c.Call.Type(values).DType;
                var isBelow = c.Add(isRight ? "LessOrEqual" : "Less", [c.As(sorted, type), c.Reshape(c[values], [.. c.ShapeOf(values), 1])]);
                return c.Reduce("ReduceSum", c.Cast(isBelow, ScalarType.Bool, c.Type.DType), [-1L], false);
            });
        }
    }

    /// <summary>The source as far as the index goes.</summary>
    private static string Given(OnnxCall c) => c.ShapeOf("index") is var to && c.ShapeOf("src") == to
        ? c["src"]
        : c.Add("Slice", [c["src"], c.Ints([.. to.Select(_ => 0L)]), c.Ints(to.ToArray())]);

    private static string Everywhere(OnnxCall c, string parameter, Shape shape) => c.Add("Expand", [c.As(parameter, c.Type.DType), c.Ints(shape.ToArray())]);

    /// <summary>The index of a dimension, the same in all others.</summary>
    private static string Along(OnnxCall c, Shape shape)
    {
        var dim = (int)c.Dimension("dim");
        Shape column = [.. shape.Select((_, d) => d == dim ? c.ShapeOf("index").Elements : 1)];
        return c.Add("Expand", [c.Reshape(c["index"], column), c.Ints(shape.ToArray())]);
    }

    /// <summary>With the two dimensions of a diagonal last and in one; where the diagonal lies there.</summary>
    private static string Flat(OnnxCall c, out string places, out long[] order, out Shape shape)
    {
        var from = c.ShapeOf("self");
        var (a, b) = ((int)c.Dimension("dim1"), (int)c.Dimension("dim2"));
        var (offset, columns) = (c.Call.Integer("offset"), from[b]);
        var length = Math.Max(0, offset >= 0 ? Math.Min(from[a], columns - offset) : Math.Min(from[a] + offset, columns));
        var turned = Enumerable.Range(0, from.Count).Where(d => d != a && d != b).Append(a).Append(b).Select(d => (long)d).ToArray();
        places = c.Constant(OnnxCall.Counting(length).Select(i => (i * (columns + 1)) + (offset >= 0 ? offset : -offset * columns)), length);
        order = turned;
        shape = [.. turned.Select(d => from[(int)d])];
        return c.Reshape(c.Transpose(c["self"], turned), [.. shape.Take(shape.Count - 2), from[a] * columns]);
    }

    /// <summary>Matrices along the diagonal of one, each between zeros.</summary>
    private static string Blocks(OnnxCall c)
    {
        var (start, rows) = (0L, new List<string>());
        foreach (var value in c.Call.ValueList("tensors").OfType<Value>())
        {
            var (height, width) = value.Type.Shape is var shape && shape.Count == 2 ? (shape[0], shape[1]) : (1, shape.Elements);
            var block = c.Reshape(c.Cast(c.Name(value), value.Type.DType, c.Type.DType), [height, width]);
            rows.Add(c.Add("Pad", [block, c.Ints(0, start, 0, c.Shape[1] - start - width)]));
            start += width;
        }

        return c.Join(0, rows);
    }

    /// <summary>Values on the diagonal of matrices that are zero elsewhere.</summary>
    private static string Embedded(OnnxCall c)
    {
        using var scope = NewDisposeScope();
        var (rank, offset) = (c.Shape.Count, c.Call.Integer("offset"));
        var (a, b) = (Inference.Dimension(c.Call, c.Call.Integer("dim1"), rank), Inference.Dimension(c.Call, c.Call.Integer("dim2"), rank));
        var isDiagonal = c.Constant(tensor(OnnxCall.Counting(c.Shape[a]).SelectMany(row => OnnxCall.Counting(c.Shape[b]).Select(column => column - row == offset)).ToArray()).reshape(c.Shape[a], c.Shape[b]));
        var padded = c.Add("Pad", [c["self"], c.Ints([.. Enumerable.Repeat(0L, rank - 2), Math.Max(0, -offset), .. Enumerable.Repeat(0L, rank - 2), Math.Max(0, offset)])]);
        var matrices = c.Where(isDiagonal, c.Add("Unsqueeze", [padded, c.Ints(-1)]), c.Number(0)); // (.., a, b)
        int[] order = [.. Enumerable.Range(0, rank).Select(d => d == a ? rank - 2 : d == b ? rank - 1 : d - (d > a ? 1 : 0) - (d > b ? 1 : 0))];
        return Ordered(c, matrices, order);
    }

    private static string DiagonalScatter(OnnxCall c)
    {
        var flat = Flat(c, out var places, out var order, out var shape);
        var source = c.ShapeOf("src");
        var index = c.Add("Expand", [places, c.Ints(source.ToArray())]);
        var put = c.Reshape(c.Add("ScatterElements", [flat, index, c.As("src", c.Type.DType)], ("axis", -1)), shape);
        return c.Transpose(put, [.. order.Select((_, d) => (long)Array.IndexOf(order, d))]);
    }

    /// <summary>Values at places: by a mask where that is what is given, else by indices of any dimensions.</summary>
    private static string IndexPut(OnnxCall c)
    {
        var indices = c.Call.ValueList("indices");
        int[] places = [.. Enumerable.Range(0, indices.Length).Where(i => indices[i] is not null)];
        var (rank, values) = (c.Shape.Count, c.ShapeOf("values"));
        if (indices[places[0]] is { Type: { DType: ScalarType.Bool } mask } first)
        {
            if (places.Length > 1 || c.Call.Flag("accumulate") || values.Elements != 1)
            {
                throw c.Unfit("truth values as an index are written for one value that is put");
            }

            Shape wide = [.. Enumerable.Repeat(1L, places[0]), .. mask.Shape, .. Enumerable.Repeat(1L, rank - places[0] - mask.Shape.Count)];
            return c.Where(c.Reshape(c.Name(first), wide), c.Reshape(c["values"], []), c["self"]);
        }

        Shape together = [];
        foreach (var i in places)
        {
            together = Shape.Broadcast(together, indices[i]!.Type.Shape) ?? throw c.Unfit("the indices do not fit together");
        }

        int[] rest = [.. Enumerable.Range(0, rank).Except(places)];
        long[] front = [.. places.Concat(rest).Select(d => (long)d)];

        // Where the indexed dimensions stand side by side, their values stand among the others.
        var before = places[^1] - places[0] == places.Length - 1 ? rest.Count(d => d < places[0]) : 0;
        Shape whole = [.. rest.Take(before).Select(d => c.Shape[d]), .. together, .. rest.Skip(before).Select(d => c.Shape[d])];
        long[] order = [.. Enumerable.Range(before, together.Count).Concat(Enumerable.Range(0, before)).Concat(Enumerable.Range(before + together.Count, rest.Length - before)).Select(d => (long)d)];
        var parts = places.Select(i => c.Reshape(
            c.Add("Expand", [NotNegative(c, indices[i]!, c.Shape[i]), c.Ints(together.ToArray())]), [.. together, 1]));
        var source = c.Transpose(c.Add("Expand", [c.As("values", c.Type.DType), c.Ints(whole.ToArray())]), order);
        var put = c.Add(
            "ScatterND", [c.Transpose(c["self"], front), c.Join(together.Count, parts), source], c.Call.Flag("accumulate") ? [("reduction", "add")] : []);
        return c.Transpose(put, [.. front.Select((_, d) => (long)Array.IndexOf(front, d))]);
    }

    /// <summary>An index as ONNX counts it.</summary>
    private static string NotNegative(OnnxCall c, Value index, long size)
    {
        var name = c.Cast(c.Name(index), index.Type.DType, ScalarType.Int64);
        return c.Where(c.Add("Less", [name, c.Emitter.Integer(0)]), c.Plus(name, c.Emitter.Integer(size)), name);
    }
}
