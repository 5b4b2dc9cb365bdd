using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Taking and putting values at places, joining, repeating and padding.</summary>
internal static class IndexingOperators
{
    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Joins();
        Takes();
        Puts();
        Parts();
        Arrangements();
    }

    private static void Joins()
    {
        Definition.One("aten::cat(Tensor[] tensors, int dim=0) -> Tensor", OperatorKind.Other, Cat, e =>
        {
            var type = e.Output();
            return cat([.. e.List("tensors").OfType<Tensor>().Select(tensor => tensor.to(type.DType))], e.Integer("dim"));
        });
        Definition.One(
            "aten::stack(Tensor[] tensors, int dim=0) -> Tensor",
            OperatorKind.Other,
            call =>
            {
                var types = call.Values.Select(value => value.Type).ToArray();
                Inference.Require(types.Length > 0 && types.All(type => type.Shape == types[0].Shape), call, "tensors of one shape are wanted");
                var at = Inference.Dimension(call, call.Integer("dim"), types[0].Shape.Count + 1);
                return new(TypePromotion.Of(call, "tensors"), [.. types[0].Shape.Take(at), types.Length, .. types[0].Shape.Skip(at)], types[0].Device);
            },
            e => stack([.. e.List("tensors").OfType<Tensor>().Select(tensor => tensor.to(e.Output().DType))], e.Integer("dim")));
    }

    private static void Takes()
    {
        Definition.One(
            "aten::index_select(Tensor self, int dim, Tensor index) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self") with { Shape = Inference.With(call.Type("self").Shape, Inference.Dimension(call, "dim", call.Type("self").Shape.Count), call.Type("index").Elements) },
            e => e["self"].index_select(e.Integer("dim"), e["index"]));
        Definition.One(
            "aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self") with { Shape = call.Type("index").Shape },
            e => e["self"].gather(e.Integer("dim"), e["index"]));
        Definition.One(
            "aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
            OperatorKind.Other,
            call =>
            {
                Inference.Require(call.Type("weight").Shape.Count == 2, call, "a matrix of vectors is wanted");
                return call.Type("weight") with { Shape = [.. call.Type("indices").Shape, call.Type("weight").Shape[1]] };
            },
            e => e["weight"].index_select(0, e["indices"].reshape(-1)).reshape(e.Output().Shape.ToArray()));
        Definition.One(
            "aten::embedding_dense_backward(Tensor grad_output, Tensor indices, SymInt num_weights, SymInt padding_idx, bool scale_grad_by_freq) -> Tensor",
            OperatorKind.Other,
            call => call.Type("grad_output") with { Shape = [call.Integer("num_weights"), call.Type("grad_output").Shape[^1]] },
            EmbeddingBackward);
        Definition.One("aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", OperatorKind.Other, Index, e => e["self"].index(Indices(e)));
        Definition.One(
            "aten::one_hot(Tensor self, int num_classes=-1) -> Tensor",
            OperatorKind.Other,
            call =>
            {
                Inference.Require(call.Integer("num_classes") > 0, call, "how many classes there are must be given");
                return call.Type("self") with { Shape = [.. call.Type("self").Shape, call.Integer("num_classes")] };
            },
            e =>
            {
                // libtorch's own looks at the values first; those that are no class are refused here too.
                var places = e["self"].unsqueeze(-1);
                return zeros(e.Output().Shape.ToArray(), ScalarType.Int64, places.device).scatter(-1, places, ones_like(places));
            });
        Definition.Unknown("aten::nonzero(Tensor self) -> Tensor", e => e["self"].nonzero());
        Definition.Unknown("aten::masked_select(Tensor self, Tensor mask) -> Tensor", e => e["self"].masked_select(e["mask"]));
    }

    private static void Puts()
    {
        Put("index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor", e => Puts(e["self"].clone(), e));
        Put("scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", e => e["self"].scatter(e.Integer("dim"), e["index"], e["src"]));
        Put(
            "scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
            e => e["self"].scatter(e.Integer("dim"), e["index"], full(e["index"].shape, e.Scalar("value"), e["self"].dtype, e["self"].device)));
        Put("scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", e => e["self"].scatter_add(e.Integer("dim"), e["index"], e["src"]));
        Put("index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor", e => e["self"].index_copy(e.Integer("dim"), e["index"], e["source"]));
        Put("index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor", e => e["self"].index_add(e.Integer("dim"), e["index"], e["source"], e.Scalar("alpha")));
        Put("index_fill.int_Scalar(Tensor self, int dim, Tensor index, Scalar value) -> Tensor", e => e["self"].index_fill(e.Integer("dim"), e["index"], e.Scalar("value")));
    }

    /// <summary>What writing into a part of a tensor leaves, and the gradients of taking a part.</summary>
    private static void Parts()
    {
        Definition.One(
            "aten::slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self"),
            e =>
            {
                var result = e["self"].clone();
                var s = Inference.Slice(e.Call, e["self"].shape[Inference.Dimension(e.Call, "dim", (int)e["self"].dim())]);
                result.slice(e.Integer("dim"), s.Start, s.End, s.Step).copy_(e["src"]);
                return result;
            });
        Definition.One(
            "aten::select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self"),
            e => Written(e["self"].clone(), x => x.select(e.Integer("dim"), e.Integer("index")), e["src"]));
        Definition.One(
            "aten::diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
            OperatorKind.Other,
            call => call.Type("self"),
            e => Written(e["self"].clone(), x => x.diagonal(e.Integer("offset"), e.Integer("dim1"), e.Integer("dim2")), e["src"]));
        Definition.One(
            "aten::slice_backward(Tensor grad_output, SymInt[] input_sizes, int dim, SymInt start, SymInt end, SymInt step) -> Tensor",
            OperatorKind.Other,
            call => call.Type("grad_output") with { Shape = [.. call.Integers("input_sizes")!.Value] },
            e =>
            {
                var sizes = e.Integers("input_sizes");
                var s = Inference.Slice(e.Call, sizes[Inference.Dimension(e.Call, "dim", sizes.Length)]);
                return Written(zeros(sizes, e["grad_output"].dtype, e["grad_output"].device), x => x.slice(e.Integer("dim"), s.Start, s.End, s.Step), e["grad_output"]);
            });
        Definition.One(
            "aten::select_backward(Tensor grad_output, SymInt[] input_sizes, int dim, SymInt index) -> Tensor",
            OperatorKind.Other,
            call => call.Type("grad_output") with { Shape = [.. call.Integers("input_sizes")!.Value] },
            e => Written(
                zeros(e.Integers("input_sizes"), e["grad_output"].dtype, e["grad_output"].device), x => x.select(e.Integer("dim"), e.Integer("index")), e["grad_output"]));
    }

    private static void Arrangements()
    {
        Definition.One("aten::repeat(Tensor self, SymInt[] repeats) -> Tensor", OperatorKind.Other, Repeat, e => e["self"].repeat(e.Integers("repeats")));
        Definition.One(
            "aten::repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor",
            OperatorKind.Other,
            call =>
            {
                var type = call.Type("self");
                if (!call.Has("dim"))
                {
                    return type with { Shape = [type.Elements * call.Integer("repeats")] };
                }

                var dim = Inference.Dimension(call, "dim", type.Shape.Count);
                return type with { Shape = Inference.With(type.Shape, dim, type.Shape[dim] * call.Integer("repeats")) };
            },
            e => e["self"].repeat_interleave(e.Integer("repeats"), e.Call.Has("dim") ? e.Integer("dim") : null));
        Same("flip(Tensor self, int[] dims) -> Tensor", e => e["self"].flip(e.Integers("dims")));
        Same(
            "roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor",
            e => e.Integers("dims") is { Length: > 0 } dims ? e["self"].roll(e.Integers("shifts"), dims)
                : e["self"].reshape(-1).roll(e.Integers("shifts")[0], 0).reshape(e["self"].shape)); // TorchSharp rolls the first dimension where none is named
        Definition.InPlace(Same("tril(Tensor self, SymInt diagonal=0) -> Tensor", e => e["self"].tril(e.Integer("diagonal"))));
        Definition.InPlace(Same("triu(Tensor self, SymInt diagonal=0) -> Tensor", e => e["self"].triu(e.Integer("diagonal"))));
        Definition.One(
            "aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor",
            OperatorKind.Other,
            call =>
            {
                var (type, pad) = (call.Type("self"), call.Integers("pad")!.Value);
                Inference.Require(pad.Length % 2 == 0 && pad.Length / 2 <= type.Shape.Count, call, $"a padding of [{string.Join(", ", pad)}] does not fit");
                Shape shape = [.. type.Shape.Select((size, i) => type.Shape.Count - 1 - i is var j && (2 * j) < pad.Length ? Math.Max(0, size + pad[2 * j] + pad[(2 * j) + 1]) : size)];
                return type with { Shape = shape };
            },
            e => nn.functional.pad(e["self"], e.Integers("pad"), PaddingModes.Constant, e.Call.Number("value")));
    }

    private static TensorType Cat(OperatorCall call)
    {
        // A vector without values is passed over whatever the others' shape is, as ever.
        var types = call.Values.Select(value => value.Type).ToArray();
        var real = types.Where(type => type.Shape.Count != 1 || type.Shape[0] != 0).DefaultIfEmpty(types.FirstOrDefault()).ToArray();
        Inference.Require(types.Length > 0, call, "there is nothing to join");
        var first = real[0]!.Shape;
        var dim = Inference.Dimension(call, "dim", first.Count);
        Inference.Require(
            real.All(type => type!.Shape.Count == first.Count && first.Count > 0 && type.Shape.Select((size, i) => i == dim || size == first[i]).All(same => same)),
            call,
            $"the shapes differ in more than dimension {dim}");
        return new(TypePromotion.Of(call, "tensors"), Inference.With(first, dim, real.Sum(type => type!.Shape[dim])), types[0].Device);
    }

    private static Shape Repeated(Shape shape, ImmutableArray<long> repeats) =>
        [.. repeats.Select((count, i) => i - (repeats.Length - shape.Count) is var j && j >= 0 ? count * shape[j] : count)];

    private static TensorType Repeat(OperatorCall call)
    {
        var (type, repeats) = (call.Type("self"), call.Integers("repeats")!.Value);
        Inference.Require(repeats.Length >= type.Shape.Count, call, "there are fewer repetitions than dimensions");
        return type with { Shape = Repeated(type.Shape, repeats) };
    }

    /// <summary>Indices are broadcast; their dimensions stand where the first of them stood, or in front where they are not side by side.</summary>
    private static TensorType Index(OperatorCall call)
    {
        var (type, indices) = (call.Type("self"), call.ValueList("indices"));
        if (indices.OfType<Value>().Any(index => index.Type.DType is ScalarType.Bool or ScalarType.Byte))
        {
            throw new GraphException($"{call.Operator.Name}: how many values a mask selects is known only by running it");
        }

        Inference.Require(indices.Length <= type.Shape.Count && indices.Any(index => index is not null), call, $"{indices.Length} indices do not fit");
        Shape shape = [];
        foreach (var index in indices.OfType<Value>())
        {
            var together = Shape.Broadcast(shape, index.Type.Shape);
            Inference.Require(together is not null, call, "the indices do not fit together");
            shape = together!.Value;
        }

        int[] places = [.. Enumerable.Range(0, indices.Length).Where(i => indices[i] is not null)];
        var adjacent = places[^1] - places[0] == places.Length - 1;
        var rest = type.Shape.Select((size, i) => (size, i)).Where(entry => !places.Contains(entry.i)).ToArray();
        var before = adjacent ? rest.Where(entry => entry.i < places[0]).Select(entry => entry.size) : [];
        var after = adjacent ? rest.Where(entry => entry.i > places[0]).Select(entry => entry.size) : rest.Select(entry => entry.size);
        return type with { Shape = [.. before, .. shape, .. after] };
    }

    private static TensorIndex[] Indices(Evaluation e) => [.. e.List("indices").Select(index => index is null ? TensorIndex.Colon : TensorIndex.Tensor(index))];

    /// <summary>TorchSharp follows a missing index into the void: the dimensions that have one are brought to the front, where none is missing.</summary>
    private static Tensor Puts(Tensor target, Evaluation e)
    {
        List<Tensor?> indices = [.. e.List("indices").SelectMany(index => index is { dtype: ScalarType.Bool or ScalarType.Byte } ? index.nonzero().unbind(1) : new Tensor?[] { index })];
        int[] places = [.. Enumerable.Range(0, indices.Count).Where(i => indices[i] is not null)];
        var rest = Enumerable.Range(0, (int)target.dim()).Except(places).ToArray();
        var front = target.permute([.. places.Concat(rest).Select(i => (long)i)]);
        long[] sizes = [.. places.Select(place => indices[place]!).Aggregate((Shape)[], (shape, index) => Shape.Broadcast(shape, Shape.Create(index.shape)) ?? throw new GraphException($"{e.Call.Operator.Name}: the indices do not fit together"))];

        // Where the indexed dimensions stand side by side, their values stand among the others.
        var before = places[^1] - places[0] == places.Length - 1 ? rest.Count(i => i < places[0]) : 0;
        long[] whole = [.. rest.Take(before).Select(i => target.shape[i]), .. sizes, .. rest.Skip(before).Select(i => target.shape[i])];
        var order = Enumerable.Range(before, sizes.Length).Concat(Enumerable.Range(0, before)).Concat(Enumerable.Range(before + sizes.Length, rest.Length - before));
        var values = e["values"].to(target.dtype).expand(whole).permute([.. order.Select(i => (long)i)]);
        front.index_put_(values, [.. places.Select(place => TensorIndex.Tensor(indices[place]!))], e.Flag("accumulate"));
        return target;
    }

    private static Tensor EmbeddingBackward(Evaluation e)
    {
        var (gradient, indices) = (e["grad_output"], e["indices"].reshape(-1));
        var rows = gradient.reshape(indices.numel(), -1);
        var sum = zeros(e.Output().Shape.ToArray(), gradient.dtype, gradient.device);
        var (count, padding) = (e.Integer("num_weights"), e.Integer("padding_idx"));
        if (e.Flag("scale_grad_by_freq"))
        {
            var frequency = zeros([count], gradient.dtype, gradient.device).index_add(0, indices, ones([indices.numel()], gradient.dtype, gradient.device), e.Number(1));
            rows = rows.div(frequency.index_select(0, indices).unsqueeze(-1));
        }

        sum = sum.index_add(0, indices, rows, e.Number(1));
        if (padding >= 0)
        {
            sum.select(0, padding).zero_();
        }

        return sum;
    }

    private static Tensor Written(Tensor target, Func<Tensor, Tensor> part, Tensor source)
    {
        part(target).copy_(source);
        return target;
    }

    private static void Put(string schema, Func<Evaluation, Tensor> evaluate) =>
        Definition.InPlace(Same(schema, evaluate));

    private static Operator Same(string schema, Func<Evaluation, Tensor> evaluate) => Definition.One("aten::" + schema, OperatorKind.Other, call => call.Type("self"), evaluate);
}
