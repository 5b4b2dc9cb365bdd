using System.Runtime.CompilerServices;
using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>Operators that these tests need until the vocabulary is there.</summary>
internal static class StandInOperators
{
    [ModuleInitializer]
    internal static void Register()
    {
        foreach (var (name, f) in new (string, Func<Tensor, Tensor>)[]
        {
            ("neg", x => x.neg()), ("abs", x => x.abs()), ("relu", x => x.relu()), ("exp", x => x.exp()), ("log", x => x.log()), ("sqrt", x => x.sqrt()), ("rsqrt", x => x.rsqrt()),
            ("sin", x => x.sin()), ("cos", x => x.cos()), ("tanh", x => x.tanh()), ("sigmoid", x => x.sigmoid()), ("erf", x => x.erf()), ("silu", x => nn.functional.silu(x)),
        })
        {
            Add($"aten::{name}(Tensor self) -> Tensor", OperatorKind.Pointwise, c => c.Type("self"), (c, t) => f(t[0]));
        }

        TensorType Broadcast(OperatorCall c) => new(c.Type("self").DType, Shape.Broadcast(c.Type("self").Shape, c.Type("other").Shape)!.Value);
        Add("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", OperatorKind.Pointwise, Broadcast, (c, t) => t[0] + t[1]);
        Add("aten::mul.Tensor(Tensor self, Tensor other) -> Tensor", OperatorKind.Pointwise, Broadcast, (c, t) => t[0] * t[1]);
        Add("aten::mul.Scalar(Tensor self, Scalar other) -> Tensor", OperatorKind.Pointwise, c => c.Type("self"), (c, t) => t[0] * c.Number("other"));
        Add("aten::_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", OperatorKind.Reduction, c => c.Type("self"), (c, t) => t[0].softmax(c.Integer("dim")));
        Add("aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor", OperatorKind.Reduction, c => c.Type("input"),
            (c, t) => nn.functional.layer_norm(t[0], [.. c.Integers("normalized_shape")!.Value], t[1], t[2], c.Number("eps")));
        Add("aten::gelu(Tensor self, *, str approximate='none') -> Tensor", OperatorKind.Pointwise, c => c.Type("self"), (c, t) => nn.functional.gelu(t[0]));
        Add("aten::t(Tensor(a) self) -> Tensor(a)", OperatorKind.View, c => new(c.Type("self").DType, [.. c.Type("self").Shape.Reverse()]), (c, t) => t[0].t());
        Add("aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", OperatorKind.Product,
            c => new(c.Type("input").DType, [.. c.Type("input").Shape.SkipLast(1), c.Type("weight").Shape[0]]), (c, t) => nn.functional.linear(t[0], t[1], t.Length > 2 ? t[2] : null));
        Add("aten::cumsum(Tensor self, int dim) -> Tensor", OperatorKind.Other, c => c.Type("self"), (c, t) => t[0].cumsum(c.Integer("dim")));
    }

    private static void Add(string schema, OperatorKind kind, Func<OperatorCall, TensorType> infer, Func<OperatorCall, Tensor[], Tensor> evaluate)
    {
        if (Operators.Find(schema[..schema.IndexOf('(')]) is null)
        {
            Operators.Add(schema, kind, c => [infer(c)], (c, t) => [evaluate(c, t)]);
        }
    }
}
