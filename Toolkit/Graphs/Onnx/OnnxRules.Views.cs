using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>The same values seen otherwise, and values at places.</content>
internal static partial class OnnxRules
{
    private static void Views(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        foreach (var name in new[] { "view", "reshape", "_unsafe_view", "flatten.using_ints", "unsqueeze", "squeeze", "squeeze.dim", "squeeze.dims" })
        {
            One(name, c => c.Reshape(c["self"], c.Shape));
        }

        One("expand", c => c.Add("Expand", [c["self"], c.Ints(c.Shape.ToArray())]));
        One("permute", c => c.Transpose(c["self"], [.. c.Call.Integers("dims")!.Value.Select(d => (long)Inference.Dimension(c.Call, d, c.Shape.Count))]));
        One("t", c => c.Shape.Count < 2 ? c["self"] : c.Transpose(c["self"], 1, 0));
        One("transpose.int", c => c.Shape.Count == 0 ? c["self"] : c.Transpose(c["self"], Swapped(c.Shape.Count, c.Dimension("dim0"), c.Dimension("dim1"))));
        One("movedim.int", c =>
        {
            var order = Enumerable.Range(0, c.Shape.Count).Select(d => (long)d).ToList();
            order.Remove(c.Dimension("source"));
            order.Insert((int)c.Dimension("destination"), c.Dimension("source"));
            return c.Transpose(c["self"], [.. order]);
        });
        One("slice.Tensor", c => Inference.Slice(c.Call, c.ShapeOf("self")[(int)c.Dimension("dim")]) is var (start, end, step, _) ? c.Slice(c["self"], c.Dimension("dim"), start, end, step) : "");
        One("narrow", c => Start(c) is var start ? c.Slice(c["self"], c.Dimension("dim"), start, start + c.Call.Integer("length")) : "");
        One("select.int", c => c.Add("Gather", [c["self"], c.Emitter.Integer(Index(c))], ("axis", c.Dimension("dim"))));
        foreach (var name in new[] { "unsafe_split.Tensor", "unsafe_split_with_sizes", "unsafe_chunk" })
        {
            rules["aten::" + name] = c =>
            {
                var (dim, start) = ((int)c.Dimension("dim"), 0L);
                if (name == "unsafe_chunk" && c.Call.Integer("chunks") == c.Node.Outputs.Length)
                {
                    return c.Emitter.Add("Split", [c["self"]], c.Node.Outputs.Length, ("axis", dim), ("num_outputs", c.Node.Outputs.Length));
                }

                return [.. c.Node.Outputs.Select(part => c.Slice(c["self"], dim, start, start += part.Type.Shape[dim]))];
            };
        }

        One("repeat", c => c.Add("Tile", [c.Reshape(c["self"], Padded(c.ShapeOf("self"), c.Shape.Count)), c.Ints([.. c.Call.Integers("repeats")!.Value])]));
        One("repeat_interleave.self_int", Interleaved);
        One("constant_pad_nd", c => c.Add("Pad", [c["self"], c.Ints(Pads(c, "pad")), c.As("value", c.Type.DType)]));
    }

    private static void Places(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        One("cat", c => c.Add("Concat", c.List("tensors").Where((_, i) => c.Call.ValueList("tensors")[i]!.Type.Shape.Count == c.Shape.Count), ("axis", Inference.Dimension(c.Call, "dim", c.Shape.Count))));
        One("embedding", c => c.Add("Gather", [c["weight"], c["indices"]], ("axis", 0)));
        One("index_select", c => c.Add("Gather", [c["self"], c.Reshape(c["index"], [c.ShapeOf("index").Elements])], ("axis", c.Dimension("dim"))));
        One("gather", c => c.Add("GatherElements", [c["self"], c["index"]], ("axis", c.Dimension("dim"))));
        One("index.Tensor", Indexed);
        One("slice_scatter", c =>
        {
            var dim = c.Dimension("dim");
            var (start, end, step, _) = Inference.Slice(c.Call, c.Shape[(int)dim]);
            return step == 1 ? Spliced(c, dim, start, end, c.As("src", c.Type.DType)) : Strewn(c, dim, start, end, step);
        });
        One("select_scatter", c => Spliced(c, c.Dimension("dim"), Index(c), Index(c) + 1, c.Reshape(c.As("src", c.Type.DType), Inference.With(c.Shape, (int)c.Dimension("dim"), 1))));
        One("tril", c => c.Add("Trilu", [c["self"], c.Emitter.Integer(c.Call.Integer("diagonal"))], ("upper", 0)));
        One("triu", c => c.Add("Trilu", [c["self"], c.Emitter.Integer(c.Call.Integer("diagonal"))], ("upper", 1)));
    }

    private static long[] Swapped(int rank, long a, long b) => [.. Enumerable.Range(0, rank).Select(d => d == a ? b : d == b ? a : d)];

    private static long Index(OnnxCall c) => c.Call.Integer("index") is >= 0 and var index ? index : c.Call.Integer("index") + c.ShapeOf("self")[(int)c.Dimension("dim")];

    private static long Start(OnnxCall c) => c.Call.Integer("start") is >= 0 and var start ? start : c.Call.Integer("start") + c.ShapeOf("self")[(int)c.Dimension("dim")];

    /// <summary>With leading ones.</summary>
    private static Shape Padded(Shape shape, int rank) => [.. Enumerable.Repeat(1L, rank - shape.Count), .. shape];

    /// <summary>What lies before, in and behind a part, side by side.</summary>
    private static string Spliced(OnnxCall c, long dim, long start, long end, string part)
    {
        var parts = new List<string>();
        if (start > 0)
        {
            parts.Add(c.Slice(c["self"], dim, 0, start));
        }

        if (end > start)
        {
            parts.Add(part);
        }

        if (end < c.Shape[(int)dim])
        {
            parts.Add(c.Slice(c["self"], dim, end, c.Shape[(int)dim]));
        }

        return parts.Count == 1 ? parts[0] : c.Add("Concat", parts, ("axis", dim));
    }

    /// <summary>Written to every n-th place.</summary>
    private static string Strewn(OnnxCall c, long dim, long start, long end, long step)
    {
        using var scope = NewDisposeScope();
        var places = tensor(OnnxCall.Counting(Math.Max(0, (end - start + step - 1) / step)).Select(i => start + (i * step)).ToArray()).reshape([.. Enumerable.Range(0, c.Shape.Count).Select(d => d == dim ? -1L : 1)]);
        var index = c.Add("Expand", [c.Constant(places), c.Ints(c.ShapeOf("src").ToArray())]);
        return c.Add("ScatterElements", [c["self"], index, c.As("src", c.Type.DType)], ("axis", dim));
    }

    private static string Interleaved(OnnxCall c)
    {
        Shape shape = c.Call.Has("dim") ? c.ShapeOf("self") : [c.ShapeOf("self").Elements];
        var (dim, repeats) = (c.Call.Has("dim") ? (int)c.Dimension("dim") : 0, c.Call.Integer("repeats"));
        Shape with = [.. shape.Take(dim + 1), 1, .. shape.Skip(dim + 1)];
        return c.Reshape(c.Add("Expand", [c.Reshape(c["self"], with), c.Ints(Inference.With(with, dim + 1, repeats).ToArray())]), c.Shape);
    }

    /// <summary>ATen counts from the last dimension, in pairs; ONNX has all beginnings, then all ends.</summary>
    private static long[] Pads(OnnxCall c, string parameter)
    {
        var (given, rank) = (c.Call.Integers(parameter)!.Value, c.Shape.Count);
        var pads = new long[2 * rank];
        for (var i = 0; i < given.Length / 2; i++)
        {
            (pads[rank - 1 - i], pads[(2 * rank) - 1 - i]) = (given[2 * i], given[(2 * i) + 1]);
        }

        return pads;
    }

    /// <summary>Indices of some dimensions.</summary>
    private static string Indexed(OnnxCall c)
    {
        var indices = c.Call.ValueList("indices");
        var given = Enumerable.Range(0, indices.Length).Where(i => indices[i] is not null).ToArray();
        if (given.Any(i => indices[i]!.Type.DType == ScalarType.Bool))
        {
            throw c.Unfit("truth values as an index are not written");
        }

        if (given.Length == 1)
        {
            return c.Add("Gather", [c["self"], c.Name(indices[given[0]]!)], ("axis", given[0]));
        }

        if (given.Length == 0)
        {
            throw c.Unfit("an index is wanted");
        }

        Shape together = [];
        foreach (var i in given)
        {
            together = Shape.Broadcast(together, indices[i]!.Type.Shape) ?? throw c.Unfit("the indices do not fit together");
        }

        var parts = given.Select(i => c.Reshape(
            c.Add("Expand", [c.Cast(c.Name(indices[i]!), indices[i]!.Type.DType, ScalarType.Int64), c.Ints(together.ToArray())]), [.. together, 1]));
        int[] rest = [.. Enumerable.Range(0, c.ShapeOf("self").Count).Except(given)];
        var taken = c.Add("GatherND", [Ordered(c, c["self"], [.. given.Concat(rest)]), c.Join(together.Count, parts)]); // (indices, rest)

        // Where the indexed dimensions stand side by side, what they name stands among the others.
        var before = given[^1] - given[0] == given.Length - 1 ? rest.Count(d => d < given[0]) : 0;
        var (count, all) = (together.Count, Enumerable.Range(0, c.Shape.Count));
        return Ordered(c, taken, [.. all.Skip(count).Take(before), .. all.Take(count), .. all.Skip(count + before)]);
    }

    private static string Ordered(OnnxCall c, string x, int[] order) => order.Select((d, i) => d == i).All(same => same) ? x : c.Transpose(x, [.. order.Select(d => (long)d)]);
}
