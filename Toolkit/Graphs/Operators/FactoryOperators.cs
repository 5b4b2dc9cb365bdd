using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Tensors from numbers.</summary>
internal static class FactoryOperators
{
    private const string Options = "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None";
    private const string Like = "*, " + Options + ", MemoryFormat? memory_format=None) -> Tensor";

    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Sized();
        Alike();
        Ranges();
        Fills();
    }

    private static void Sized()
    {
        Add($"zeros(SymInt[] size, *, {Options}) -> Tensor", call => Size(call), (e, shape, type, device) => zeros(shape, type, device));
        Add($"ones(SymInt[] size, *, {Options}) -> Tensor", call => Size(call), (e, shape, type, device) => ones(shape, type, device));

        // What memory happens to hold is no value: here it holds zeros.
        Add($"empty.memory_format(SymInt[] size, *, {Options}, MemoryFormat? memory_format=None) -> Tensor", call => Size(call), (e, shape, type, device) => zeros(shape, type, device));
        Add($"full(SymInt[] size, Scalar fill_value, *, {Options}) -> Tensor", call => Size(call, Scalar(call, "fill_value")), (e, shape, type, device) => full(shape, e.Scalar("fill_value"), type, device));
        Add($"scalar_tensor(Scalar s, *, {Options}) -> Tensor", call => Type(call, [], ScalarType.Float32), (e, shape, type, device) => full(shape, e.Scalar("s"), type, device));
        Add($"eye(SymInt n, *, {Options}) -> Tensor", call => Type(call, [call.Integer("n"), call.Integer("n")], ScalarType.Float32), (e, shape, type, device) => eye(shape[0], shape[1], type, device));
        Add($"eye.m(SymInt n, SymInt m, *, {Options}) -> Tensor", call => Type(call, [call.Integer("n"), call.Integer("m")], ScalarType.Float32), (e, shape, type, device) => eye(shape[0], shape[1], type, device));
    }

    private static void Alike()
    {
        Add("zeros_like(Tensor self, " + Like, Self, (e, shape, type, device) => zeros(shape, type, device));
        Add("ones_like(Tensor self, " + Like, Self, (e, shape, type, device) => ones(shape, type, device));
        Add("empty_like(Tensor self, " + Like, Self, (e, shape, type, device) => zeros(shape, type, device));
        Add("full_like(Tensor self, Scalar fill_value, " + Like, Self, (e, shape, type, device) => full(shape, e.Scalar("fill_value"), type, device));
        Add($"new_zeros(Tensor self, SymInt[] size, *, {Options}) -> Tensor", New, (e, shape, type, device) => zeros(shape, type, device));
        Add($"new_ones(Tensor self, SymInt[] size, *, {Options}) -> Tensor", New, (e, shape, type, device) => ones(shape, type, device));
        Add($"new_empty(Tensor self, SymInt[] size, *, {Options}) -> Tensor", New, (e, shape, type, device) => zeros(shape, type, device));
        Add($"new_full(Tensor self, SymInt[] size, Scalar fill_value, *, {Options}) -> Tensor", New, (e, shape, type, device) => full(shape, e.Scalar("fill_value"), type, device));
    }

    private static void Ranges()
    {
        Add($"arange(Scalar end, *, {Options}) -> Tensor", call => Range(call), (e, shape, type, device) => arange(Ops.Scalars.Zero, e.Scalar("end"), Ops.Scalars.One, type, device));
        Add($"arange.start(Scalar start, Scalar end, *, {Options}) -> Tensor", call => Range(call), (e, shape, type, device) => arange(e.Scalar("start"), e.Scalar("end"), Ops.Scalars.One, type, device));
        Add(
            $"arange.start_step(Scalar start, Scalar end, Scalar step=1, *, {Options}) -> Tensor",
            call => Range(call),
            (e, shape, type, device) => arange(e.Scalar("start"), e.Scalar("end"), e.Scalar("step"), type, device));
        Add(
            $"linspace(Scalar start, Scalar end, int steps, *, {Options}) -> Tensor",
            call => Type(call, [call.Integer("steps")], ScalarType.Float32),
            (e, shape, type, device) => linspace(e.Call.Number("start"), e.Call.Number("end"), shape[0], type, device));
    }

    private static void Fills()
    {
        InPlace("fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)", e => e["self"].fill_(e.Scalar("value")));
        InPlace("fill_.Tensor(Tensor(a!) self, Tensor value) -> Tensor(a!)", e => e["self"].copy_(e["value"]));
        InPlace("zero_(Tensor(a!) self) -> Tensor(a!)", e => e["self"].fill_(e.Number(0))); // TorchSharp's zero_ makes a tensor of zeros in its place
    }

    private static void InPlace(string schema, Func<Evaluation, Tensor> evaluate) => Definition.One("aten::" + schema, OperatorKind.Pointwise, call => call.Type("self"), evaluate);

    private static void Add(string schema, Func<OperatorCall, TensorType> infer, Func<Evaluation, long[], ScalarType, Device, Tensor> evaluate) => Definition.One(
        "aten::" + schema,
        OperatorKind.Factory,
        infer,
        e =>
        {
            var type = e.Output();
            return evaluate(e, type.Shape.ToArray(), type.DType, new Device(type.Device));
        });

    private static TensorType Type(OperatorCall call, Shape shape, ScalarType type, string device = "cpu") => new(call.DataType("dtype") ?? type, shape, call.Device("device") ?? device);

    private static TensorType Size(OperatorCall call, ScalarType type = ScalarType.Float32) => Type(call, [.. call.Integers("size")!.Value], type);

    private static TensorType Self(OperatorCall call) => Type(call, call.Type("self").Shape, call.Type("self").DType, call.Type("self").Device);

    private static TensorType New(OperatorCall call) => Type(call, [.. call.Integers("size")!.Value], call.Type("self").DType, call.Type("self").Device);

    private static TensorType Range(OperatorCall call)
    {
        string[] names = [.. call.Operator.Parameters.Select(parameter => parameter.Name).Where(name => name is "start" or "end" or "step")];
        var integral = names.All(name => call.Arguments[call.Operator.IndexOf(name)] is IntegerArgument);
        var (start, end, step) = (names.Contains("start") ? call.Number("start") : 0, call.Number("end"), names.Contains("step") ? call.Number("step") : 1);
        if (step == 0 || (end - start) / step < 0)
        {
            throw new GraphException($"{call.Operator.Name}: from {start} to {end} there are no steps of {step}");
        }

        return Type(call, [(long)Math.Ceiling((end - start) / step)], integral ? ScalarType.Int64 : ScalarType.Float32);
    }

    private static ScalarType Scalar(OperatorCall call, string parameter) => call.Arguments[call.Operator.IndexOf(parameter)] switch
    {
        IntegerArgument => ScalarType.Int64,
        BooleanArgument => ScalarType.Bool,
        _ => ScalarType.Float32,
    };
}
