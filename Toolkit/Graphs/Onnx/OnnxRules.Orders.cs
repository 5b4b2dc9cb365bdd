using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Values in another order, and what runs along a dimension.</content>
internal static partial class OnnxRules
{
    private static void Orders(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        One("flip", c => c.Call.Integers("dims")!.Value.Aggregate(c["self"], (x, d) => Flipped(c, x, Inference.Dimension(c.Call, d, c.Shape.Count))));
        One("roll", c =>
        {
            var (shifts, dims) = (c.Call.Integers("shifts")!.Value, c.Call.Integers("dims")!.Value);
            return dims.Length == 0
                ? c.Reshape(Rolled(c, c.Reshape(c["self"], [c.Shape.Elements]), 0, c.Shape.Elements, shifts[0]), c.Shape)
                : dims.Select(d => Inference.Dimension(c.Call, d, c.Shape.Count)).Zip(shifts).Aggregate(c["self"], (x, pair) => Rolled(c, x, pair.First, c.Shape[pair.First], pair.Second));
        });
        One("rot90", c =>
        {
            var rank = c.Shape.Count;
            var (a, b) = (Inference.Dimension(c.Call, c.Call.Integers("dims")!.Value[0], rank), Inference.Dimension(c.Call, c.Call.Integers("dims")!.Value[1], rank));
            return (((c.Call.Integer("k") % 4) + 4) % 4) switch
            {
                1 => c.Transpose(Flipped(c, c["self"], b), Swapped(rank, a, b)),
                2 => Flipped(c, Flipped(c, c["self"], a), b),
                3 => c.Transpose(Flipped(c, c["self"], a), Swapped(rank, a, b)),
                _ => c["self"],
            };
        });
        rules["aten::sort"] = rules["aten::sort.stable"] = c => Sorted(c, c.Call.Flag("descending"));
        One("median", c => c.Reshape(Least(c, c.Reshape(c["self"], [c.ShapeOf("self").Elements]), 0, (c.ShapeOf("self").Elements + 1) / 2)[0], c.Shape));
        rules["aten::median.dim"] = c => c.ShapeOf("self").Count == 0 ? [c["self"], c.Emitter.Integer(0)]
            : [.. Least(c, c["self"], c.Dimension("dim"), (c.ShapeOf("self")[(int)c.Dimension("dim")] + 1) / 2).Select(name => c.Reshape(name, c.Shape))];
        rules["aten::kthvalue"] = c => [.. Least(c, c["self"], c.Dimension("dim"), c.Call.Integer("k")).Select(name => c.Reshape(name, c.Shape))];
        One("cumprod", c => Scanned(c, [c.Self], [1], (before, x) => [c.Times(before[0], x[0])])[0]);
        One("logcumsumexp", c => Scanned(c, [c.Self], [double.NegativeInfinity], (before, x) => [Together(c, before[0], x[0], Math.E)])[0]);
        foreach (var (name, op, worst) in new[] { ("cummax", "Greater", double.NegativeInfinity), ("cummin", "Less", double.PositiveInfinity) })
        {
            rules["aten::" + name] = c => !TypePromotion.IsFloating(c.Type.DType) ? throw c.Unfit("integers are not written") : Scanned(c, [c.Self, Places(c)], [worst, 0], (before, x) =>
            {
                var stays = c.Add(op, [before[0], x[0]]);
                return [c.Where(stays, before[0], x[0]), c.Where(stays, before[1], x[1])];
            });
        }
    }

    private static string Flipped(OnnxCall c, string x, long dim) => c.Shape.Count == 0 ? x : c.Slice(x, dim, -1, long.MinValue, -1);

    private static string Rolled(OnnxCall c, string x, long dim, long size, long shift)
    {
        var at = size == 0 ? 0 : size - (((shift % size) + size) % size);
        return at == 0 || at == size ? x : c.Join(dim, c.Slice(x, dim, at, size), c.Slice(x, dim, 0, at));
    }

    /// <summary>All values in order, and where they stood. ONNX takes the first of equals first: it is stable.</summary>
    private static string[] Sorted(OnnxCall c, bool descending) => c.Shape.Count == 0
        ? [c["self"], c.Emitter.Integer(0)]
        : c.Emitter.Add("TopK", [c["self"], c.Ints(c.Shape[(int)c.Dimension("dim")])], 2, ("axis", c.Dimension("dim")), ("largest", descending), ("sorted", 1));

    /// <summary>The k-th least along a dimension, and its place.</summary>
    private static string[] Least(OnnxCall c, string x, long dim, long k) =>
        [.. c.Emitter.Add("TopK", [x, c.Ints(k)], 2, ("axis", dim), ("largest", 0), ("sorted", 1)).Select(name => c.Slice(name, dim, k - 1, k))];

    /// <summary>The place along the dimension at each place.</summary>
    private static string Places(OnnxCall c)
    {
        using var scope = NewDisposeScope();
        var (dim, rank) = ((int)c.Dimension("dim"), c.Shape.Count);
        var places = rank == 0 ? tensor(0L) : tensor(OnnxCall.Counting(c.Shape[dim]).ToArray()).reshape([.. Enumerable.Range(0, rank).Select(d => d == dim ? -1L : 1)]).expand(c.Shape.ToArray());
        return c.Constant(places);
    }

    /// <summary>What each place and all before it make together, in steps that double: some sequences at once, each with what changes nothing.</summary>
    private static string[] Scanned(OnnxCall c, string[] sequences, double[] neutral, Func<string[], string[], string[]> together)
    {
        if (c.Shape.Count == 0)
        {
            return sequences;
        }

        var (dim, size) = (c.Dimension("dim"), c.Shape[(int)c.Dimension("dim")]);
        for (var step = 1L; step < size; step *= 2)
        {
            var before = sequences.Select((x, i) =>
            {
                var type = c.Node.Outputs[i].Type;
                return c.Join(dim, c.Emitter.Filled(neutral[i], type with { Shape = Inference.With(type.Shape, (int)dim, step) }), c.Slice(x, dim, 0, size - step));
            }).ToArray();
            sequences = together(before, sequences);
        }

        return sequences;
    }
}
