using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Sums, means, extremes over dimensions, and what runs along one dimension.</summary>
internal static class ReductionOperators
{
    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Sums();
        Moments();
        Extremes();
        Along();
        Softmax();
    }

    private static void Sums()
    {
        Reduce("sum(Tensor self, *, ScalarType? dtype=None) -> Tensor", SumType, (e, x, all) => x.sum(e.Call.DataType("dtype")));
        Reduce("sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", SumType, (e, x, dim) => x.sum(dim, e.Flag("keepdim"), e.Call.DataType("dtype")));
        Reduce("prod(Tensor self, *, ScalarType? dtype=None) -> Tensor", SumType, (e, x, all) => x.prod(e.Call.DataType("dtype")));
        Definition.One(
            "aten::prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
            OperatorKind.Reduction,
            call => One(call, SumType(call)),
            e => e["self"].prod(e.Integer("dim"), e.Flag("keepdim"), e.Call.DataType("dtype")));
        Reduce("mean(Tensor self, *, ScalarType? dtype=None) -> Tensor", MeanType, (e, x, all) => x.to(e.Output().DType).mean());
        Reduce("mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", MeanType, (e, x, dim) => x.mean(dim, e.Flag("keepdim"), e.Call.DataType("dtype")));
        Reduce("any(Tensor self) -> Tensor", TruthType, (e, x, all) => x.any());
        Reduce("all(Tensor self) -> Tensor", TruthType, (e, x, all) => x.all());
        Definition.One("aten::any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", OperatorKind.Reduction, call => One(call, TruthType(call)), e => e["self"].any(e.Integer("dim"), e.Flag("keepdim")));
        Definition.One("aten::all.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", OperatorKind.Reduction, call => One(call, TruthType(call)), e => e["self"].all(e.Integer("dim"), e.Flag("keepdim")));
    }

    private static void Moments()
    {
        const string Correction = "(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> ";
        Reduce("var.correction" + Correction + "Tensor", FloatingType, Variance);
        Reduce("std.correction" + Correction + "Tensor", FloatingType, Deviation);
        Definition.Many(
            "aten::var_mean.correction" + Correction + "(Tensor, Tensor)",
            OperatorKind.Reduction,
            call => [Type(call, FloatingType(call)), Type(call, FloatingType(call))],
            e =>
            {
                var (x, dim) = (e["self"], Dimensions(e));
                return [Variance(e, x, dim), x.mean(dim, e.Flag("keepdim"))];
            });
        Reduce(
            "linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
            call => call.DataType("dtype") ?? FloatingType(call),
            (e, x, dim) => KeptScalars.VectorNorm(x.to(e.Output().DType), e.Number(e.Call.Number("ord")), dim, e.Flag("keepdim")));
        Definition.One(
            "aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor",
            OperatorKind.Reduction,
            call => Type(call, TypePromotion.ToFloating(call.Type("self").DType)),
            e => LogSumExp(e["self"].to(e.Output().DType), Dimensions(e)).reshape(e.Output().Shape.ToArray()));
    }

    private static void Extremes()
    {
        Reduce("amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", SelfType, (e, x, dim) => x.amax(dim, e.Flag("keepdim")));
        Reduce("amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", SelfType, (e, x, dim) => x.amin(dim, e.Flag("keepdim")));
        Reduce("max(Tensor self) -> Tensor", SelfType, (e, x, all) => x.max());
        Reduce("min(Tensor self) -> Tensor", SelfType, (e, x, all) => x.min());
        foreach (var (name, function) in new (string, Func<Tensor, long, bool, (Tensor, Tensor)>)[] { ("max", (x, d, k) => x.max(d, k)), ("min", (x, d, k) => x.min(d, k)) })
        {
            Definition.Many(
                $"aten::{name}.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
                OperatorKind.Reduction,
                call => [One(call, SelfType(call)), One(call, ScalarType.Int64)],
                e =>
                {
                    var (values, indices) = function(e["self"], e.Integer("dim"), e.Flag("keepdim"));
                    return [values, indices];
                });
        }

        foreach (var (name, whole, along) in new (string, Func<Tensor, Tensor>, Func<Tensor, long, bool, Tensor>)[]
        {
            ("argmax", x => x.argmax(), (x, d, k) => x.argmax(d, k)), ("argmin", x => x.argmin(), (x, d, k) => x.argmin(d, k)),
        })
        {
            Definition.One(
                $"aten::{name}(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
                OperatorKind.Reduction,
                call => call.Has("dim") ? One(call, ScalarType.Int64) : new(ScalarType.Int64, Inference.Reduce(call.Type("self").Shape, [.. Enumerable.Range(0, call.Type("self").Shape.Count)], call.Flag("keepdim")), call.Type("self").Device),
                e => e.Call.Has("dim") ? along(e["self"], e.Integer("dim"), e.Flag("keepdim")) : whole(e["self"]).reshape(e.Output().Shape.ToArray()));
        }

        Definition.Many(
            "aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)",
            OperatorKind.Other,
            call =>
            {
                var type = call.Type("self");
                var dim = Inference.Dimension(call, "dim", type.Shape.Count);
                var k = call.Integer("k");
                Inference.Require(k >= 0 && (type.Shape.Count == 0 || k <= type.Shape[dim]), call, $"k is {k}");
                var shape = Inference.With(type.Shape, dim, k);
                return [type with { Shape = shape }, new(ScalarType.Int64, shape, type.Device)];
            },
            e =>
            {
                var (values, indices) = e["self"].topk((int)e.Integer("k"), (int)e.Integer("dim"), e.Flag("largest"), e.Flag("sorted"));
                return [values, indices];
            });
        Sort("sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)", _ => false);
        Sort("sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)", e => e.Call.Has("stable") && e.Flag("stable"));
    }

    private static void Along()
    {
        foreach (var (name, function) in new (string, Func<Tensor, long, ScalarType?, Tensor>)[] { ("cumsum", (x, d, t) => x.cumsum(d, t)), ("cumprod", (x, d, t) => x.cumprod(d, t)) })
        {
            Definition.One(
                $"aten::{name}(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",
                OperatorKind.Other,
                call => Along(call) with { DType = SumType(call) },
                e => function(e["self"], e.Integer("dim"), e.Call.DataType("dtype")));
        }
    }

    /// <summary>The type of a tensor that has the dimension that is named.</summary>
    private static TensorType Along(OperatorCall call)
    {
        var type = call.Type("self");
        _ = Inference.Dimension(call, "dim", type.Shape.Count);
        return type;
    }

    private static void Softmax()
    {
        foreach (var (name, function) in new (string, Func<Tensor, long, ScalarType?, Tensor>)[]
        {
            ("softmax", (x, d, t) => x.softmax(d, t)), ("log_softmax", (x, d, t) => x.log_softmax(d, t)),
        })
        {
            Definition.One(
                $"aten::_{name}(Tensor self, int dim, bool half_to_float) -> Tensor",
                OperatorKind.Reduction,
                call => Along(call) with { DType = call.Flag("half_to_float") ? ScalarType.Float32 : call.Type("self").DType },
                e => function(e["self"], e.Integer("dim"), e.Flag("half_to_float") ? ScalarType.Float32 : null));
            Definition.One(
                $"aten::{name}.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
                OperatorKind.Reduction,
                call => Along(call) with { DType = call.DataType("dtype") ?? call.Type("self").DType },
                e => function(e["self"], e.Integer("dim"), e.Call.DataType("dtype")));
        }

        Definition.One(
            "aten::_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) -> Tensor",
            OperatorKind.Reduction,
            call => call.Type("grad_output") with { DType = call.DataType("input_dtype")!.Value },
            e =>
            {
                var product = e["grad_output"].mul(e["output"]);
                return product.sub(e["output"].mul(product.sum(e.Integer("dim"), true))).to(e.Output().DType);
            });
        Definition.One(
            "aten::_log_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) -> Tensor",
            OperatorKind.Reduction,
            call => call.Type("grad_output") with { DType = call.DataType("input_dtype")!.Value },
            e => e["grad_output"].sub(e["output"].exp().mul(e["grad_output"].sum(e.Integer("dim"), true))).to(e.Output().DType));
    }

    private static void Sort(string schema, Func<Evaluation, bool> stable) => Definition.Many(
        "aten::" + schema,
        OperatorKind.Other,
        call => [call.Type("self"), call.Type("self") with { DType = ScalarType.Int64 }],
        e =>
        {
            var (values, indices) = e["self"].sort(e.Integer("dim"), e.Flag("descending"), stable(e));
            return [values, indices];
        });

    /// <summary>With N - correction in the denominator.</summary>
    private static Tensor Variance(Evaluation e, Tensor x, long[] dim) =>
        IsPlain(e) ? x.var(dim, Correction(e) == 1, e.Flag("keepdim")) : x.var(dim, false, e.Flag("keepdim")).mul(e.Number(Corrected(e, x)));

    /// <summary>Its root, whose gradient is none where the values are all the same: that of a square root is infinite there.</summary>
    private static Tensor Deviation(Evaluation e, Tensor x, long[] dim) =>
        IsPlain(e) ? x.std(dim, Correction(e) == 1, e.Flag("keepdim")) : x.std(dim, false, e.Flag("keepdim")).mul(e.Number(Math.Sqrt(Corrected(e, x))));

    private static bool IsPlain(Evaluation e) => Correction(e) is 0 or 1;

    private static double Correction(Evaluation e) => e.Call.Has("correction") ? e.Call.Number("correction") : 1;

    private static double Corrected(Evaluation e, Tensor x)
    {
        var count = (double)x.numel() / Math.Max(1, e.Output().Elements);
        return count / Math.Max(0, count - Correction(e));
    }

    /// <summary>TorchSharp takes it over one dimension: several become one, the last.</summary>
    private static Tensor LogSumExp(Tensor x, long[] dim)
    {
        if (dim.Length == 1)
        {
            return x.logsumexp(dim[0]);
        }

        long[] others = [.. Enumerable.Range(0, (int)x.dim()).Select(d => (long)d).Except(dim)];
        return x.permute([.. others, .. dim]).reshape([.. others.Select(d => x.shape[d]), dim.Aggregate(1L, (product, d) => product * x.shape[d])]).logsumexp(-1);
    }

    private static void Reduce(string schema, Func<OperatorCall, ScalarType> type, Func<Evaluation, Tensor, long[], Tensor> evaluate) => Definition.One(
        "aten::" + schema, OperatorKind.Reduction, call => Type(call, type(call)), e => evaluate(e, e["self"], Dimensions(e)));

    private static long[] Dimensions(Evaluation e) => [.. Dimensions(e.Call).Select(d => (long)d)];

    private static int[] Dimensions(OperatorCall call)
    {
        var rank = call.Type("self").Shape.Count;
        return call.Operator.Parameters.Any(parameter => parameter.Name == "dim") ? Inference.Dimensions(call, "dim", rank) : [.. Enumerable.Range(0, rank)];
    }

    private static TensorType Type(OperatorCall call, ScalarType type)
    {
        var self = call.Type("self");
        var keep = call.Operator.Parameters.Any(parameter => parameter.Name == "keepdim") && call.Flag("keepdim");
        return new(type, Inference.Reduce(self.Shape, Dimensions(call), keep), self.Device);
    }

    private static TensorType One(OperatorCall call, ScalarType type)
    {
        var self = call.Type("self");
        return new(type, Inference.Reduce(self.Shape, [Inference.Dimension(call, "dim", self.Shape.Count)], call.Flag("keepdim")), self.Device);
    }

    private static ScalarType SelfType(OperatorCall call) => call.Type("self").DType;

    private static ScalarType SumType(OperatorCall call) =>
        call.DataType("dtype") ?? (TypePromotion.IsIntegral(SelfType(call)) ? ScalarType.Int64 : SelfType(call));

    private static ScalarType MeanType(OperatorCall call)
    {
        var type = call.DataType("dtype") ?? SelfType(call);
        Inference.Require(!TypePromotion.IsIntegral(type), call, "integers have no mean");
        return type;
    }

    private static ScalarType FloatingType(OperatorCall call)
    {
        Inference.Require(!TypePromotion.IsIntegral(SelfType(call)), call, "only real numbers have that");
        return SelfType(call);
    }

    private static ScalarType TruthType(OperatorCall call) => SelfType(call) == ScalarType.Byte ? ScalarType.Byte : ScalarType.Bool;
}
