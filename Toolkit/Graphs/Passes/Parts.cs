using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Passes;

/// <summary>A call that is taken apart, with short names for what its parts are written in.</summary>
internal sealed class Parts(GraphBuilder builder, OperatorCall call, TensorType[] outputs)
{
    /// <summary>The call.</summary>
    public OperatorCall Call { get; } = call;

    /// <summary>Type of the first output.</summary>
    public TensorType Type => outputs[0];

    /// <summary>Types of the outputs.</summary>
    public TensorType[] Types => outputs;

    /// <summary>The tensor of a parameter.</summary>
    public Value this[string parameter] => Call.Value(parameter);

    /// <summary>The tensor of a parameter; null where none is given.</summary>
    public Value? Optional(string parameter) => Call.Has(parameter) ? Call.Value(parameter) : null;

    /// <summary>A number.</summary>
    public double Number(string parameter) => Call.Number(parameter);

    /// <summary>The argument itself.</summary>
    public Argument Argument(string parameter) => Call.Arguments[Call.Operator.IndexOf(parameter)];

    /// <summary>A tensor in the type in which libtorch's kernels compute with it.</summary>
    public Value Wide(Value value) => value.Type.DType is ScalarType.BFloat16 or ScalarType.Float16 ? To(value, ScalarType.Float32) : value;

    /// <summary>In another type.</summary>
    public Value To(Value value, ScalarType type) => value.Type.DType == type ? value : Add("aten::_to_copy", value, type);

    /// <summary>Any operator.</summary>
    public Value Add(string name, params ReadOnlySpan<Argument> arguments) => builder.Add(name, arguments);

    public Value Plus(Value a, Value b) => Add("aten::add.Tensor", a, b);

    public Value Plus(Value a, double b) => Add("aten::add.Scalar", a, b);

    public Value Minus(Value a, Value b) => Add("aten::sub.Tensor", a, b);

    public Value Times(Value a, Value b) => Add("aten::mul.Tensor", a, b);

    public Value Times(Value a, double b) => b == 1 ? a : Add("aten::mul.Scalar", a, b);

    public Value Over(Value a, Value b) => Add("aten::div.Tensor", a, b);

    /// <summary>1 - a.</summary>
    public Value Rest(Value a) => Plus(Map("neg", a), 1);

    public Value Map(string name, Value a) => Add("aten::" + name, a);

    /// <summary>Over dimensions that stay, with extent 1.</summary>
    public Value Sum(Value a, params long[] dims) => Add("aten::sum.dim_IntList", a, dims, true);

    /// <summary>Over dimensions that stay, with extent 1.</summary>
    public Value Mean(Value a, params long[] dims) => Times(Sum(a, dims), 1 / dims.Aggregate(1.0, (count, d) => count * a.Type.Shape[(int)d]));

    public Value Most(Value a, params long[] dims) => Add("aten::amax", a, dims, true);

    public Value Reshape(Value a, Shape shape) => a.Type.Shape == shape ? a : Add("aten::reshape", a, shape);

    public Value Slice(Value a, long dim, long start, long end) => Add("aten::slice.Tensor", a, dim, start, end, 1L);

    /// <summary>Where a condition holds a number, elsewhere a value.</summary>
    public Value Where(Value condition, double number, Value other) => Add("aten::where.ScalarSelf", condition, number, other);

    /// <summary>A tensor of one number.</summary>
    public Value Full(TensorType type, Argument number) => Add("aten::full", type.Shape, number, type.DType, NoArgument.Instance, new DeviceArgument(type.Device));
}
