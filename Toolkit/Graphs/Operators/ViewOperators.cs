using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Operators whose result shares the memory of their input, wherever that can be.</summary>
internal static class ViewOperators
{
    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Reshapes();
        Orders();
        Parts();
        Lists();
    }

    private static void Reshapes()
    {
        // How a tensor lies in memory is no part of its type, so a view that strides forbid becomes a copy, as in reshape.
        Add("view(Tensor(a) self, SymInt[] size) -> Tensor(a)", call => Inference.Resolve(call, call.Integers("size")!.Value, call.Type("self").Shape), e => e["self"].reshape(e.Integers("size")));
        Add("reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)", call => Inference.Resolve(call, call.Integers("shape")!.Value, call.Type("self").Shape), e => e["self"].reshape(e.Integers("shape")));
        Add("_unsafe_view(Tensor self, SymInt[] size) -> Tensor", call => Inference.Resolve(call, call.Integers("size")!.Value, call.Type("self").Shape), e => e["self"].reshape(e.Integers("size")));
        Add("flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)", Flatten, e => e["self"].flatten(e.Integer("start_dim"), e.Integer("end_dim")));
        Add("unsqueeze(Tensor(a) self, int dim) -> Tensor(a)", call => Insert(call, call.Integer("dim")), e => e["self"].unsqueeze(e.Integer("dim")));
        Add("squeeze(Tensor(a) self) -> Tensor(a)", call => [.. call.Type("self").Shape.Where(size => size != 1)], e => e["self"].squeeze());
        Add("squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)", call => Squeeze(call), e => e["self"].squeeze(e.Integer("dim")));
        Add("squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)", call => Squeeze(call), e => e["self"].reshape(e.Output().Shape.ToArray()));
        Add("expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)", Expand, e => e["self"].expand(e.Integers("size"), e.Flag("implicit")));
        Add("detach(Tensor(a) self) -> Tensor(a)", call => call.Type("self").Shape, e => e["self"].detach());
        Add("alias(Tensor(a) self) -> Tensor(a)", call => call.Type("self").Shape, e => e["self"].alias());
        Add("lift_fresh(Tensor(a) self) -> Tensor(a)", call => call.Type("self").Shape, e => e["self"].alias());
    }

    private static void Orders()
    {
        Add("permute(Tensor(a) self, int[] dims) -> Tensor(a)", Permute, e => e["self"].permute(e.Integers("dims")));
        Add("transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", Transpose, e => e["self"].transpose(e.Integer("dim0"), e.Integer("dim1")));
        Add(
            "t(Tensor(a) self) -> Tensor(a)",
            call =>
            {
                Inference.Require(call.Type("self").Shape.Count <= 2, call, "only a matrix can be turned");
                return [.. call.Type("self").Shape.Reverse()];
            },
            e => e["self"].t());
        Add(
            "movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)",
            call =>
            {
                var shape = call.Type("self").Shape;
                var (from, to) = (Inference.Dimension(call, "source", shape.Count), Inference.Dimension(call, "destination", shape.Count));
                var sizes = shape.ToList();
                var size = sizes[from];
                sizes.RemoveAt(from);
                sizes.Insert(to, size);
                return [.. sizes];
            },
            e => e["self"].movedim([e.Integer("source")], [e.Integer("destination")]));
    }

    private static void Parts()
    {
        Add("slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor(a)", Slice, e =>
        {
            var (dim, s) = Slice(e.Call);
            return e["self"].slice(dim, s.Start, s.End, s.Step);
        });
        Add("narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)", Narrow, e => e["self"].narrow(e.Integer("dim"), e.Integer("start"), e.Integer("length")));
        Add("select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)", Select, e => e["self"].select(e.Integer("dim"), e.Integer("index")));
        Add("diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)", Diagonal, e => e["self"].diagonal(e.Integer("offset"), e.Integer("dim1"), e.Integer("dim2")));
        Add("unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)", Unfold, e => e["self"].unfold(e.Integer("dimension"), e.Integer("size"), e.Integer("step")));

        // What strides mean depends on the memory behind the tensor: no pass touches it.
        Definition.One(
            "aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor(a)",
            OperatorKind.Other,
            call => call.Type("self") with { Shape = [.. call.Integers("size")!.Value] },
            e => e["self"].as_strided(e.Integers("size"), e.Integers("stride"), e.Call.Has("storage_offset") ? e.Integer("storage_offset") : e["self"].storage_offset()));
    }

    private static void Lists()
    {
        List("split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]", (call, extent) => Pieces(extent, call.Integer("split_size")), e => e["self"].split(e.Integer("split_size"), (int)e.Integer("dim")));
        List("split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]", (call, _) => [.. call.Integers("split_sizes")!.Value], e => e["self"].split(e.Integers("split_sizes"), e.Integer("dim")));
        List("split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]", (call, _) => [.. call.Integers("split_size")!.Value], e => e["self"].split(e.Integers("split_size"), e.Integer("dim")));
        List(
            "chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]",
            (call, extent) => Pieces(extent, (extent + call.Integer("chunks") - 1) / call.Integer("chunks")),
            e => e["self"].chunk(e.Integer("chunks"), e.Integer("dim")));
        Definition.Many(
            "aten::unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]",
            OperatorKind.View,
            call =>
            {
                var self = call.Type("self");
                var dim = Inference.Dimension(call, "dim", self.Shape.Count);
                Inference.Require(self.Shape.Count > 0, call, "there is no dimension to take apart");
                return [.. Enumerable.Repeat(self with { Shape = Inference.Reduce(self.Shape, [dim], false) }, (int)self.Shape[dim])];
            },
            e => e["self"].unbind(e.Integer("dim")));
    }

    private static long[] Pieces(long extent, long size)
    {
        if (extent == 0 || size <= 0)
        {
            return [0];
        }

        return [.. Enumerable.Range(0, (int)((extent + size - 1) / size)).Select(i => Math.Min(size, extent - (i * size)))];
    }

    private static Shape Flatten(OperatorCall call)
    {
        var shape = call.Type("self").Shape;
        if (shape.Count == 0)
        {
            return [1];
        }

        var (start, end) = (Inference.Dimension(call, "start_dim", shape.Count), Inference.Dimension(call, "end_dim", shape.Count));
        Inference.Require(start <= end, call, $"dimension {start} is behind {end}");
        return [.. shape.Take(start), shape.Skip(start).Take(end - start + 1).Aggregate(1L, (product, size) => product * size), .. shape.Skip(end + 1)];
    }

    private static Shape Insert(OperatorCall call, long dimension)
    {
        var shape = call.Type("self").Shape;
        var at = Inference.Dimension(call, dimension, shape.Count + 1);
        return [.. shape.Take(at), 1, .. shape.Skip(at)];
    }

    private static Shape Squeeze(OperatorCall call)
    {
        var shape = call.Type("self").Shape;
        var dims = call.Integers("dim")!.Value.Select(d => Inference.Dimension(call, d, shape.Count)).ToHashSet();
        return [.. shape.Where((size, i) => size != 1 || !dims.Contains(i))];
    }

    private static Shape Expand(OperatorCall call)
    {
        var (shape, sizes) = (call.Type("self").Shape, call.Integers("size")!.Value);
        var added = sizes.Length - shape.Count;
        Inference.Require(added >= 0, call, $"[{string.Join(", ", sizes)}] has too few dimensions");
        return
        [
            .. sizes.Select((size, i) =>
            {
                var old = i < added ? 1 : shape[i - added];
                Inference.Require(size == old || (old == 1 && size >= 0) || (size == -1 && i >= added), call, $"cannot be expanded to [{string.Join(", ", sizes)}]");
                return size == -1 ? old : size;
            }),
        ];
    }

    private static Shape Permute(OperatorCall call)
    {
        var shape = call.Type("self").Shape;
        int[] dims = [.. call.Integers("dims")!.Value.Select(d => Inference.Dimension(call, d, shape.Count))];
        Inference.Require(dims.Length == shape.Count && dims.Distinct().Count() == dims.Length, call, $"[{string.Join(", ", dims)}] is no order of the dimensions");
        return [.. dims.Select(d => shape[d])];
    }

    private static Shape Transpose(OperatorCall call)
    {
        var shape = call.Type("self").Shape;
        var (a, b) = (Inference.Dimension(call, "dim0", shape.Count), Inference.Dimension(call, "dim1", shape.Count));
        return shape.Count == 0 ? shape : [.. shape.Select((size, i) => i == a ? shape[b] : i == b ? shape[a] : size)];
    }

    private static Shape Slice(OperatorCall call, int dim, long length) => Inference.With(call.Type("self").Shape, dim, length);

    private static (int Dim, (long Start, long End, long Step, long Length) Slice) Slice(OperatorCall call)
    {
        var shape = call.Type("self").Shape;
        Inference.Require(shape.Count > 0, call, "a scalar has no slices");
        var dim = Inference.Dimension(call, "dim", shape.Count);
        return (dim, Inference.Slice(call, shape[dim]));
    }

    private static Shape Narrow(OperatorCall call)
    {
        var shape = call.Type("self").Shape;
        var dim = Inference.Dimension(call, "dim", shape.Count);
        var (start, length) = (call.Integer("start"), call.Integer("length"));
        start = start < 0 ? start + shape[dim] : start;
        Inference.Require(start >= 0 && length >= 0 && start + length <= shape[dim], call, $"{start} to {start + length} is outside");
        return Inference.With(shape, dim, length);
    }

    private static Shape Select(OperatorCall call)
    {
        var shape = call.Type("self").Shape;
        Inference.Require(shape.Count > 0, call, "a scalar has no parts");
        var dim = Inference.Dimension(call, "dim", shape.Count);
        var index = call.Integer("index");
        Inference.Require(index >= -shape[dim] && index < shape[dim], call, $"{index} is outside of dimension {dim}");
        return Inference.Reduce(shape, [dim], false);
    }

    private static Shape Diagonal(OperatorCall call)
    {
        var shape = call.Type("self").Shape;
        var (a, b) = (Inference.Dimension(call, "dim1", shape.Count), Inference.Dimension(call, "dim2", shape.Count));
        Inference.Require(a != b, call, "a diagonal has two dimensions");
        var offset = call.Integer("offset");
        var length = offset >= 0 ? Math.Min(shape[a], shape[b] - offset) : Math.Min(shape[a] + offset, shape[b]);
        return [.. Inference.Reduce(shape, [a, b], false), Math.Max(0, length)];
    }

    private static Shape Unfold(OperatorCall call)
    {
        var shape = call.Type("self").Shape;
        var dim = Inference.Dimension(call, "dimension", shape.Count);
        var (size, step) = (call.Integer("size"), call.Integer("step"));
        Inference.Require(shape.Count > 0 && size >= 0 && size <= shape[dim] && step > 0, call, $"windows of {size} every {step} do not fit");
        return [.. Inference.With(shape, dim, ((shape[dim] - size) / step) + 1), size];
    }

    private static void Add(string schema, Func<OperatorCall, Shape> shape, Func<Evaluation, Tensor> evaluate) =>
        Definition.One("aten::" + schema, OperatorKind.View, call => call.Type("self") with { Shape = shape(call) }, evaluate);

    private static void Add(string schema, Func<OperatorCall, (int Dim, (long Start, long End, long Step, long Length) Slice)> slice, Func<Evaluation, Tensor> evaluate) =>
        Add(schema, call => Slice(call, slice(call).Dim, slice(call).Slice.Length), evaluate);

    private static void List(string schema, Func<OperatorCall, long, long[]> sizes, Func<Evaluation, Tensor[]> evaluate) => Definition.Many(
        "aten::" + schema,
        OperatorKind.View,
        call =>
        {
            var self = call.Type("self");
            Inference.Require(self.Shape.Count > 0, call, "a scalar cannot be split");
            var dim = Inference.Dimension(call, "dim", self.Shape.Count);
            var parts = sizes(call, self.Shape[dim]);
            Inference.Require(parts.Sum() == self.Shape[dim], call, $"parts of {string.Join(", ", parts)} do not make {self.Shape[dim]}");
            return [.. parts.Select(size => self with { Shape = Inference.With(self.Shape, dim, size) })];
        },
        evaluate);
}
