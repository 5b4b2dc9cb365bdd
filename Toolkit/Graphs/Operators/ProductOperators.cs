using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Matrix products.</summary>
internal static class ProductOperators
{
    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Add("mm(Tensor self, Tensor mat2) -> Tensor", call => [Matrix(call, "self")[0], Inner(call, "self", "mat2")], e => e["self"].mm(e["mat2"]));
        Add("bmm(Tensor self, Tensor mat2) -> Tensor", call => Batched(call, "self", "mat2"), e => e["self"].bmm(e["mat2"]));
        Add("mv(Tensor self, Tensor vec) -> Tensor", call => Vector(call, "self", "vec"), e => e["self"].mv(e["vec"]));
        Add(
            "dot(Tensor self, Tensor tensor) -> Tensor",
            call =>
            {
                Inference.Require(call.Type("self").Shape.Count == 1 && call.Type("self").Shape == call.Type("tensor").Shape, call, "two vectors of one length are wanted");
                return [];
            },
            e => e["self"].dot(e["tensor"]));
        Add(
            "addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
            call => Added(call, [Matrix(call, "mat1")[0], Inner(call, "mat1", "mat2")]),
            e => e["self"].addmm(e["mat1"], e["mat2"], (float)e.Call.Number("beta"), (float)e.Call.Number("alpha")),
            true);
        Add(
            "baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
            call => Added(call, Batched(call, "batch1", "batch2")),
            e =>
            {
                // TorchSharp's baddbmm takes its tensors in another order than it says.
                var product = e["batch1"].bmm(e["batch2"]);
                product = e.IsOne("alpha") ? product : product.mul(e.Scalar("alpha"));
                return e.Call.Number("beta") == 0 ? product : (e.IsOne("beta") ? e["self"] : e["self"].mul(e.Scalar("beta"))).add(product, e.Number(1));
            },
            true);
        Add(
            "addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
            call => Added(call, Vector(call, "mat", "vec")),
            e => e["self"].addmv(e["mat"], e["vec"], (float)e.Call.Number("beta"), (float)e.Call.Number("alpha")),
            true);
        Add("matmul(Tensor self, Tensor other) -> Tensor", MatMul, e => e["self"].matmul(e["other"]));
        Add("linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", Linear, e => nn.functional.linear(e["input"], e["weight"], e.Optional("bias")!));
        Add("einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor", Einsum, e => einsum(e.Call.Text("equation")!, [.. e.List("tensors").OfType<Tensor>()]));
        Add(
            "outer(Tensor self, Tensor vec2) -> Tensor",
            call =>
            {
                Inference.Require(call.Values.All(value => value.Type.Shape.Count == 1), call, "two vectors are wanted");
                return [call.Type("self").Shape[0], call.Type("vec2").Shape[0]];
            },
            e => e["self"].outer(e["vec2"]));
    }

    private static Shape Matrix(OperatorCall call, string name)
    {
        var shape = call.Type(name).Shape;
        Inference.Require(shape.Count == 2, call, $"\"{name}\" is no matrix");
        return shape;
    }

    /// <summary>Columns of a product whose inner extents agree.</summary>
    private static long Inner(OperatorCall call, string a, string b)
    {
        var (x, y) = (Matrix(call, a), Matrix(call, b));
        Inference.Require(x[1] == y[0], call, $"the inner extents {x[1]} and {y[0]} differ");
        return y[1];
    }

    private static Shape Batched(OperatorCall call, string a, string b)
    {
        var (x, y) = (call.Type(a).Shape, call.Type(b).Shape);
        Inference.Require(x.Count == 3 && y.Count == 3 && x[0] == y[0] && x[2] == y[1], call, "two batches of matrices that fit are wanted");
        return [x[0], x[1], y[2]];
    }

    private static Shape Vector(OperatorCall call, string matrix, string vector)
    {
        var (x, y) = (Matrix(call, matrix), call.Type(vector).Shape);
        Inference.Require(y.Count == 1 && y[0] == x[1], call, "matrix and vector do not fit");
        return [x[0]];
    }

    private static Shape Added(OperatorCall call, Shape product)
    {
        Inference.Require(Shape.Broadcast(call.Type("self").Shape, product) == product, call, $"what is added does not fit to {product}");
        return product;
    }

    private static Shape MatMul(OperatorCall call)
    {
        var (x, y) = (call.Type("self").Shape, call.Type("other").Shape);
        Inference.Require(x.Count > 0 && y.Count > 0, call, "a scalar is no matrix");
        Inference.Require(x[^1] == y[y.Count == 1 ? 0 : y.Count - 2], call, "the inner extents differ");
        if (x.Count == 1 || y.Count == 1)
        {
            return [.. x.Take(x.Count - 1), .. y.Take(y.Count - 2), .. y.Skip(Math.Max(1, y.Count - 1))];
        }

        var batch = Shape.Broadcast([.. x.Take(x.Count - 2)], [.. y.Take(y.Count - 2)]);
        Inference.Require(batch is not null, call, "the batches do not fit together");
        return [.. batch!.Value, x[^2], y[^1]];
    }

    private static Shape Linear(OperatorCall call)
    {
        var (x, w) = (call.Type("input").Shape, call.Type("weight").Shape);
        Inference.Require(x.Count > 0 && w.Count is 1 or 2 && x[^1] == w[^1], call, "input and weight do not fit");
        Shape result = w.Count == 1 ? [.. x.Take(x.Count - 1)] : [.. x.Take(x.Count - 1), w[0]];
        Inference.Require(!call.Has("bias") || Shape.Broadcast(call.Type("bias").Shape, result) == result, call, $"the bias does not fit to {result}");
        return result;
    }

    private static Shape Einsum(OperatorCall call)
    {
        var equation = call.Text("equation")!.Replace(" ", "", StringComparison.Ordinal);
        Inference.Require(!equation.Contains("...", StringComparison.Ordinal), call, "dimensions without a letter are not understood");
        var sides = equation.Split("->");
        var parts = sides[0].Split(',');
        Value[] tensors = [.. call.ValueList("tensors").OfType<Value>()];
        Inference.Require(parts.Length == tensors.Length && sides.Length <= 2, call, $"\"{equation}\" does not fit");
        var sizes = new Dictionary<char, long>();
        foreach (var (part, tensor) in parts.Zip(tensors))
        {
            Inference.Require(part.Length == tensor.Type.Shape.Count, call, $"\"{part}\" does not fit to {tensor.Type.Shape}");
            for (var i = 0; i < part.Length; i++)
            {
                var size = tensor.Type.Shape[i];
                sizes[part[i]] = sizes.TryGetValue(part[i], out var old) && old != 1 ? old : size;
            }
        }

        var output = sides.Length == 2 ? sides[1] : string.Concat(sides[0].Where(char.IsLetter).GroupBy(c => c).Where(group => group.Count() == 1).Select(group => group.Key).Order());
        return [.. output.Select(c => sizes[c])];
    }

    private static void Add(string schema, Func<OperatorCall, Shape> shape, Func<Evaluation, Tensor> evaluate, bool inPlace = false)
    {
        var op = Definition.One(
            "aten::" + schema,
            OperatorKind.Product,
            call =>
            {
                var result = shape(call);
                var first = call.Values.First().Type;
                Inference.Require(call.Values.All(value => value.Type.DType == first.DType), call, "one type is wanted");
                return new(first.DType, result, first.Device);
            },
            evaluate);
        if (inPlace)
        {
            Definition.InPlace(op);
        }
    }
}
