using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Operators that draw from the global generator: never folded, merged or moved over one another. Each draws as many numbers as its eager twin.</summary>
internal static class RandomOperators
{
    private const string Options = "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None";
    private const string Source = ", *, Generator? generator=None) -> Tensor";

    /// <summary>Adds them.</summary>
    public static void Register()
    {
        foreach (var (name, function) in new (string, Func<long[], ScalarType, Device, Tensor>)[] { ("rand", (s, t, d) => rand(s, t, d)), ("randn", (s, t, d) => randn(s, t, d)) })
        {
            Add(
                $"{name}(SymInt[] size, *, {Options}) -> Tensor",
                call => new(call.DataType("dtype") ?? ScalarType.Float32, [.. call.Integers("size")!.Value], call.Device("device") ?? "cpu"),
                e => function(e.Output().Shape.ToArray(), e.Output().DType, new Device(e.Output().Device)));
            Add(
                $"{name}_like(Tensor self, *, {Options}, MemoryFormat? memory_format=None) -> Tensor",
                call => new(call.DataType("dtype") ?? call.Type("self").DType, call.Type("self").Shape, call.Device("device") ?? call.Type("self").Device),
                e => name == "rand" ? e["self"].rand_like(e.Output().DType, new Device(e.Output().Device)) : e["self"].randn_like(e.Output().DType, new Device(e.Output().Device)));
        }

        Add(
            "randint.low(SymInt low, SymInt high, SymInt[] size, *, ScalarType? dtype=long, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
            call => new(call.DataType("dtype") ?? ScalarType.Int64, [.. call.Integers("size")!.Value], call.Device("device") ?? "cpu"),
            e => randint(e.Integer("low"), e.Integer("high"), e.Integers("size"), e.Output().DType, new Device(e.Output().Device)));
        Add(
            "randperm(SymInt n, *, ScalarType? dtype=long, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
            call => new(call.DataType("dtype") ?? ScalarType.Int64, [call.Integer("n")], call.Device("device") ?? "cpu"),
            e => randperm(e.Integer("n"), e.Output().DType, new Device(e.Output().Device)));
        Add(
            "multinomial(Tensor self, SymInt num_samples, bool replacement=False" + Source,
            call => call.Type("self") with { DType = ScalarType.Int64, Shape = [.. call.Type("self").Shape.Take(call.Type("self").Shape.Count - 1), call.Integer("num_samples")] },
            e => e["self"].multinomial(e.Integer("num_samples"), e.Flag("replacement")));
        Add("bernoulli(Tensor self" + Source, call => call.Type("self"), e => e["self"].bernoulli());
        Filled("bernoulli.p(Tensor self, float p" + Source, "bernoulli_.float(Tensor(a!) self, float p=0.5", (e, x) => x.bernoulli_(e.Call.Number("p")));
        Filled("uniform(Tensor self, float from=0, float to=1" + Source, "uniform_(Tensor(a!) self, float from=0, float to=1", (e, x) => x.uniform_(e.Call.Number("from"), e.Call.Number("to")));
        Filled("normal_functional(Tensor self, float mean=0, float std=1" + Source, "normal_(Tensor(a!) self, float mean=0, float std=1", (e, x) => x.normal_(e.Call.Number("mean"), e.Call.Number("std")));
        Definition.InPlace(Add("dropout(Tensor input, float p, bool train) -> Tensor", call => call.Type("input"), e => nn.functional.dropout(e["input"], e.Call.Number("p"), e.Flag("train"))));
        Definition.Many(
            "aten::native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)",
            OperatorKind.Random,
            call => [call.Type("input"), call.Type("input") with { DType = ScalarType.Bool }],
            e =>
            {
                var (x, p) = (e["input"], e.Call.Number("p"));
                if (e.Call.Has("train") && !e.Flag("train"))
                {
                    return [x.clone(), ones(x.shape, ScalarType.Bool, x.device)];
                }

                var mask = p == 1 ? zeros(x.shape, ScalarType.Bool, x.device) : empty(x.shape, ScalarType.Bool, x.device).bernoulli_(1 - p);
                return [x.mul(mask).mul(e.Number(p == 1 ? 0 : 1 / (1 - p))), mask];
            });
        Definition.One(
            "aten::native_dropout_backward(Tensor grad_output, Tensor mask, float scale) -> Tensor",
            OperatorKind.Pointwise,
            call => call.Type("grad_output"),
            e => e["grad_output"].mul(e["mask"]).mul(e.Number(e.Call.Number("scale"))));
    }

    private static Operator Add(string schema, Func<OperatorCall, TensorType> infer, Func<Evaluation, Tensor> evaluate) => Definition.One("aten::" + schema, OperatorKind.Random, infer, evaluate);

    /// <summary>A drawing of the shape of a tensor, and the one that overwrites it.</summary>
    private static void Filled(string functional, string inPlace, Func<Evaluation, Tensor, Tensor> fill)
    {
        var op = Add(functional, call => call.Type("self"), e => fill(e, empty_like(e["self"])));
        Definition.Pair(Add(inPlace + ", *, Generator? generator=None) -> Tensor(a!)", call => call.Type("self"), e => fill(e, e["self"])), op);
    }
}
