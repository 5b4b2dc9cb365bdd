using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Operators of which each result depends on the values at its place, and those that do the same in place.</summary>
internal static class PointwiseOperators
{
    private const string Aten = "aten::";

    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Unary();
        Binary();
        Ternary();
    }

    private static void Unary()
    {
        foreach (var (name, function) in new (string, Func<Tensor, Tensor>)[]
        {
            ("exp", x => x.exp()), ("exp2", x => x.exp2()), ("expm1", x => x.expm1()), ("log", x => x.log()), ("log2", x => x.log2()), ("log10", x => x.log10()),
            ("log1p", x => x.log1p()), ("sqrt", x => x.sqrt()), ("rsqrt", x => x.rsqrt()), ("sin", x => x.sin()), ("cos", x => x.cos()), ("tan", x => x.tan()),
            ("asin", x => x.asin()), ("acos", x => x.acos()), ("atan", x => x.atan()), ("sinh", x => x.sinh()), ("cosh", x => x.cosh()), ("tanh", x => x.tanh()),
            ("sigmoid", x => x.sigmoid()), ("erf", x => x.erf()), ("erfc", x => x.erfc()), ("reciprocal", x => x.reciprocal()),
        })
        {
            Map(name, TypePromotion.ToFloating, function);
        }

        foreach (var (name, function) in new (string, Func<Tensor, Tensor>)[]
        {
            ("neg", x => x.neg()), ("sign", x => x.sign()), ("floor", x => x.floor()), ("ceil", x => x.ceil()), ("round", x => x.round()),
            ("trunc", x => x.trunc()), ("relu", x => x.relu()), ("silu", x => nn.functional.silu(x)), ("mish", KeptScalars.Mish),
            ("hardswish", x => nn.functional.hardswish(x)), ("hardsigmoid", x => nn.functional.hardsigmoid(x)), ("bitwise_not", x => x.bitwise_not()),
        })
        {
            Map(name, type => type, function);
        }

        Map("square", type => type == ScalarType.Bool ? ScalarType.Int64 : type, x => x.pow(Ops.Scalars.Two));
        foreach (var (name, function) in new (string, Func<Tensor, Tensor>)[] { ("isnan", x => x.isnan()), ("isinf", x => x.isinf()), ("isfinite", x => x.isfinite()) })
        {
            Definition.One($"{Aten}{name}(Tensor self) -> Tensor", OperatorKind.Pointwise, call => Inference.Broadcast(call, ScalarType.Bool), e => function(e["self"]));
        }

        Definition.InPlace(Definition.One("aten::round.decimals(Tensor self, *, int decimals) -> Tensor", OperatorKind.Other, call => call.Type("self"), e => e["self"].round(e.Integer("decimals"))));
        Map("logical_not", _ => ScalarType.Bool, x => x.logical_not());
        Both(
            "gelu(Tensor self, *, str approximate='none') -> Tensor",
            Self,
            e => e["self"].gelu(e.Call.Text("approximate") == "tanh" ? TorchSharp.Modules.GELU.Approximate.tanh : TorchSharp.Modules.GELU.Approximate.none));
        Both("leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor", Self, e => e["self"].leaky_relu(e.Scalar("negative_slope")));
        Both(
            "elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor",
            Self,
            e => e["self"].elu(e.Scalar("alpha"), e.Scalar("scale"), e.Scalar("input_scale")));
        Both("hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor", Self, HardTanh);
        Both("threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor", Self, e => e["self"].threshold(e.Scalar("threshold"), e.Scalar("value")));
        One(
            "softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor",
            Self,
            e => KeptScalars.Softplus(e["self"], e.Scalar("beta"), e.Scalar("threshold")));
        Both(
            "abs(Tensor self) -> Tensor",
            call => call.Type("self").DType switch { ScalarType.ComplexFloat32 => ScalarType.Float32, ScalarType.ComplexFloat64 => ScalarType.Float64, var type => type },
            e => e["self"].abs());
        Both("clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", ClampType, e => e["self"].clamp(e.OptionalScalar("min")!, e.OptionalScalar("max")!));
        Both("clamp_min(Tensor self, Scalar min) -> Tensor", call => TypePromotion.Of(call, "self", "min"), e => e["self"].clamp_min(e.Scalar("min")));
        Both("clamp_max(Tensor self, Scalar max) -> Tensor", call => TypePromotion.Of(call, "self", "max"), e => e["self"].clamp_max(e.Scalar("max")));
        Both(
            "clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor",
            call => TypePromotion.Of(call, "self", "min", "max"),
            e => e["self"].clamp(e.Optional("min")!, e.Optional("max")!));
        One(
            "nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor",
            Self,
            e => e["self"].nan_to_num(Optional(e, "nan") ?? 0, Optional(e, "posinf"), Optional(e, "neginf")));
    }

    private static void Binary()
    {
        Arithmetic(
            "add", "Scalar alpha=1", (e, x, y) => x.add(y, e.Scalar("alpha")), (e, x) => e.IsOne("alpha") ? x.add(e.Scalar("other"), Ops.Scalars.One) : x.add(e.Product("other", "alpha"), Ops.Scalars.One));
        Arithmetic(
            "sub", "Scalar alpha=1", (e, x, y) => e.IsOne("alpha") ? x.sub(y) : x.add(y, e.Negative("alpha")), (e, x) => e.IsOne("alpha") ? x.sub(e.Scalar("other")) : x.sub(e.Product("other", "alpha")));
        Arithmetic("mul", null, (e, x, y) => x.mul(y), (e, x) => x.mul(e.Scalar("other")));
        Arithmetic("div", null, (e, x, y) => x.div(y), (e, x) => x.div(e.Scalar("other")), TypePromotion.ToFloating);
        Arithmetic("remainder", null, (e, x, y) => x.remainder(y), (e, x) => x.remainder(e.Scalar("other")));
        Arithmetic("fmod", null, (e, x, y) => x.fmod(y), (e, x) => x.fmod(e.Scalar("other")));
        Both(
            "div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor",
            DivisionType,
            e => e["self"].div(e["other"], Rounding(e)));
        Both(
            "div.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor",
            DivisionType,
            e => e["self"].div(e.Scalar("other"), Rounding(e)));
        Both("floor_divide(Tensor self, Tensor other) -> Tensor", Both, e => e["self"].floor_divide(e["other"]));
        Both("floor_divide.Scalar(Tensor self, Scalar other) -> Tensor", Both, e => e["self"].floor_divide(e.Scalar("other")));
        One(
            "rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor",
            Both,
            e => e.IsOne("alpha") ? e["other"].sub(e["self"]) : e["other"].add(e["self"], e.Negative("alpha")));
        One(
            "rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor",
            Both,
            e => (e.IsOne("alpha") ? e["self"] : e["self"].mul(e.Scalar("alpha"))).neg().add(e.Scalar("other"), Ops.Scalars.One));
        Both("pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", call => TypePromotion.Of(call, "self", "exponent"), e => e["self"].pow(e.Scalar("exponent")), "pow_.Scalar");
        Both("pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", call => TypePromotion.Of(call, "self", "exponent"), e => e["self"].pow(e["exponent"]), "pow_.Tensor");
        One(
            "pow.Scalar(Scalar self, Tensor exponent) -> Tensor",
            call => TypePromotion.Of(call, "self", "exponent"),
            e => e.As("self", e.Output().DType, e["exponent"].device).pow(e["exponent"].to(e.Output().DType)));
        foreach (var (name, tensors) in new (string, Func<Tensor, Tensor, Tensor>)[] { ("maximum", (x, y) => x.maximum(y)), ("minimum", (x, y) => x.minimum(y)) })
        {
            One($"{name}(Tensor self, Tensor other) -> Tensor", Both, e => tensors(e["self"], e["other"]));
        }

        Both("atan2(Tensor self, Tensor other) -> Tensor", call => TypePromotion.ToFloating(Both(call)), e => e["self"].atan2(e["other"]));
        One("logaddexp(Tensor self, Tensor other) -> Tensor", Both, e => e["self"].logaddexp(e["other"]));
        foreach (var (name, tensors, scalar) in new (string, Func<Tensor, Tensor, Tensor>, Func<Tensor, Scalar, Tensor>)[]
        {
            ("eq", (x, y) => x.eq(y), (x, y) => x.eq(y)), ("ne", (x, y) => x.ne(y), (x, y) => x.ne(y)), ("lt", (x, y) => x.lt(y), (x, y) => x.lt(y)),
            ("le", (x, y) => x.le(y), (x, y) => x.le(y)), ("gt", (x, y) => x.gt(y), (x, y) => x.gt(y)), ("ge", (x, y) => x.ge(y), (x, y) => x.ge(y)),
        })
        {
            Both($"{name}.Tensor(Tensor self, Tensor other) -> Tensor", _ => ScalarType.Bool, e => tensors(e["self"], e["other"]));
            Both($"{name}.Scalar(Tensor self, Scalar other) -> Tensor", _ => ScalarType.Bool, e => scalar(e["self"], e.Scalar("other")));
        }

        foreach (var (name, tensors) in new (string, Func<Tensor, Tensor, Tensor>)[]
        {
            ("logical_and", (x, y) => x.logical_and(y)), ("logical_or", (x, y) => x.logical_or(y)), ("logical_xor", (x, y) => x.logical_xor(y)),
        })
        {
            Both($"{name}(Tensor self, Tensor other) -> Tensor", _ => ScalarType.Bool, e => tensors(e["self"], e["other"]));
        }

        foreach (var (name, tensors) in new (string, Func<Tensor, Tensor, Tensor>)[]
        {
            ("bitwise_and", (x, y) => x.bitwise_and(y)), ("bitwise_or", (x, y) => x.bitwise_or(y)), ("bitwise_xor", (x, y) => x.bitwise_xor(y)),
        })
        {
            Both($"{name}.Tensor(Tensor self, Tensor other) -> Tensor", Both, e => tensors(e["self"], e["other"]));
            Both(
                $"{name}.Scalar(Tensor self, Scalar other) -> Tensor",
                Both,
                e => tensors(e["self"].to(e.Output().DType), e.As("other", e.Output().DType, e["self"].device)));
        }
    }

    private static void Ternary()
    {
        One("where.self(Tensor condition, Tensor self, Tensor other) -> Tensor", Both, Where);
        One("where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor", Both, Where);
        One("where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor", Both, Where);
        One("where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor", Both, Where);
        Both("masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor", Self, e => e["self"].masked_fill(e["mask"], e.Scalar("value")));
        Both(
            "masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor",
            Self,
            e => where(e["mask"], e["value"].to(e["self"].dtype), e["self"]));
        Both(
            "addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
            call => TypePromotion.Of(call, "self", "tensor1", "tensor2"),
            e => e["self"].addcmul(e["tensor1"], e["tensor2"], e.Scalar("value")));
        Both(
            "addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
            call => TypePromotion.Of(call, "self", "tensor1", "tensor2"),
            e => e["self"].addcdiv(e["tensor1"], e["tensor2"], e.Scalar("value")));
        Both(
            "lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor",
            Self,
            e => e["self"].lerp(e["end"], full([], e.Scalar("weight"), e["self"].dtype, e["self"].device)));
        Both("lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor", call => TypePromotion.Of(call, "self", "end", "weight"), e => e["self"].lerp(e["end"], e["weight"]));
    }

    /// <summary>TorchSharp's own leaves its input as it is. Other than that of a clamp, its gradient is none at the bounds themselves.</summary>
    private static Tensor HardTanh(Evaluation e)
    {
        var x = e["self"];
        var (least, most) = (full([], e.Scalar("min_val"), x.dtype, x.device), full([], e.Scalar("max_val"), x.dtype, x.device));
        return where(x.le(least), least, where(x.ge(most), most, x));
    }

    private static Tensor Where(Evaluation e)
    {
        var type = e.Output().DType;
        return where(e["condition"], e.As("self", type, e["condition"].device), e.As("other", type, e["condition"].device));
    }

    private static void Map(string name, Func<ScalarType, ScalarType> type, Func<Tensor, Tensor> function) =>
        Both($"{name}(Tensor self) -> Tensor", call => type(call.Type("self").DType), e => function(e["self"]));

    private static void Arithmetic(
        string name, string? more, Func<Evaluation, Tensor, Tensor, Tensor> tensors, Func<Evaluation, Tensor, Tensor> scalar, Func<ScalarType, ScalarType>? result = null)
    {
        ScalarType Type(OperatorCall call) => result is null ? Both(call) : result(Both(call));
        Both($"{name}.Tensor(Tensor self, Tensor other{(more is null ? "" : ", *, " + more)}) -> Tensor", Type, e => tensors(e, e["self"], e["other"]));
        Both($"{name}.Scalar(Tensor self, Scalar other{(more is null ? "" : ", " + more)}) -> Tensor", Type, e => scalar(e, e["self"]));
    }

    private static ScalarType Self(OperatorCall call) => call.Type("self").DType;

    private static ScalarType Both(OperatorCall call) => TypePromotion.Of(call, "self", "other");

    private static ScalarType ClampType(OperatorCall call) => TypePromotion.IsFloating(Self(call)) ? Self(call) : TypePromotion.Of(call, "self", "min", "max");

    private static ScalarType DivisionType(OperatorCall call) => call.Text("rounding_mode") is null ? TypePromotion.ToFloating(Both(call)) : Both(call);

    private static RoundingMode Rounding(Evaluation e) => e.Call.Text("rounding_mode") switch
    {
        "floor" => RoundingMode.floor,
        "trunc" => RoundingMode.trunc,
        _ => RoundingMode.None,
    };

    private static double? Optional(Evaluation e, string parameter) => e.Call.Has(parameter) ? e.Call.Number(parameter) : null;

    private static Operator One(string schema, Func<OperatorCall, ScalarType> type, Func<Evaluation, Tensor> evaluate) =>
        Definition.One(Aten + schema, OperatorKind.Pointwise, call => Inference.Broadcast(call, type(call)), evaluate);

    private static void Both(string schema, Func<OperatorCall, ScalarType> type, Func<Evaluation, Tensor> evaluate, string? inPlace = null) =>
        Definition.InPlace(One(schema, type, evaluate), inPlace is null ? null : Aten + inPlace);
}
