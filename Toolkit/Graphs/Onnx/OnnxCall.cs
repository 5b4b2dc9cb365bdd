using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>A node that is being written in ONNX's operators, with short names for what its rule is written in.</summary>
internal sealed class OnnxCall(OnnxEmitter emitter, Node node, Func<Value, string> nameOf)
{
    /// <summary>The node.</summary>
    public Node Node => node;

    /// <summary>The call.</summary>
    public OperatorCall Call { get; } = new(node.Operator, node.Arguments);

    /// <summary>What writes.</summary>
    public OnnxEmitter Emitter => emitter;

    /// <summary>Type of the first output.</summary>
    public TensorType Type => node.Outputs[0].Type;

    /// <summary>Its shape.</summary>
    public Shape Shape => Type.Shape;

    /// <summary>The name of a parameter's tensor.</summary>
    public string this[string parameter] => nameOf(Call.Value(parameter));

    /// <summary>The name of a value.</summary>
    public string Name(Value value) => nameOf(value);

    /// <summary>Names of the tensors of a list, in the type of the output.</summary>
    public IEnumerable<string> List(string parameter) => Call.ValueList(parameter).Select(value => Cast(nameOf(value!), value!.Type.DType, Type.DType));

    /// <summary>The name of an optional tensor; empty for none.</summary>
    public string Optional(string parameter) => Call.Has(parameter) ? this[parameter] : "";

    /// <summary>Shape of a parameter's tensor.</summary>
    public Shape ShapeOf(string parameter) => Call.Type(parameter).Shape;

    /// <summary>A dimension that a parameter names, from the front.</summary>
    public long Dimension(string parameter, string of = "self") => Inference.Dimension(Call, parameter, ShapeOf(of).Count);

    /// <summary>A parameter, tensor or number, in a type.</summary>
    public string As(string parameter, ScalarType type) =>
        node[parameter] is ValueArgument { Value: var value } ? Cast(nameOf(value), value.Type.DType, type) : emitter.Number(Call.Number(parameter), type);

    /// <summary>A tensor in another type.</summary>
    public string Cast(string name, ScalarType from, ScalarType to) => from == to ? name : Add("Cast", [name], ("to", OnnxEmitter.TypeOf(to)));

    /// <summary>A node with one output.</summary>
    public string Add(string op, IEnumerable<string> inputs, params (string Name, object Value)[] attributes) => emitter.Add(op, inputs, attributes);

    /// <summary>A constant of integers.</summary>
    public string Ints(params ReadOnlySpan<long> numbers) => emitter.Integers(numbers);

    /// <summary>A number in the type of the output.</summary>
    public string Number(double value) => emitter.Number(value, Type.DType);

    /// <summary>The first tensor in the type of the output.</summary>
    public string Self => As(node.Operator.Parameters[0].Name, Type.DType);

    /// <summary>a + b.</summary>
    public string Plus(string a, string b) => Add("Add", [a, b]);

    /// <summary>a - b.</summary>
    public string Minus(string a, string b) => Add("Sub", [a, b]);

    /// <summary>a · b.</summary>
    public string Times(string a, string b) => Add("Mul", [a, b]);

    /// <summary>a / b.</summary>
    public string Over(string a, string b) => Add("Div", [a, b]);

    /// <summary>One or the other at each place.</summary>
    public string Where(string condition, string yes, string no) => Add("Where", [condition, yes, no]);

    /// <summary>A tensor of fixed values.</summary>
    public string Constant(Tensor values) => emitter.Initializer("constant", values);

    /// <summary>A tensor of fixed integers.</summary>
    public string Constant(IEnumerable<long> values, params long[] sizes)
    {
        using var numbers = tensor(values.ToArray(), sizes, ScalarType.Int64);
        return Constant(numbers);
    }

    /// <summary>The integers from 0 on, known here.</summary>
    public static IEnumerable<long> Counting(long count)
    {
        for (var i = 0L; i < count; i++)
        {
            yield return i;
        }
    }

    /// <summary>The integers from 0 on.</summary>
    public string Range(long count) => Add("Range", [emitter.Integer(0), emitter.Integer(count), emitter.Integer(1)]);

    /// <summary>Reduced over some dimensions.</summary>
    public string Reduce(string op, string name, IEnumerable<long> axes, bool keep) => Add(op, [name, Ints([.. axes])], ("keepdims", keep));

    /// <summary>Side by side.</summary>
    public string Join(long dim, params IEnumerable<string> parts) => Add("Concat", parts, ("axis", dim));

    /// <summary>In another shape.</summary>
    public string Reshape(string name, Shape shape) => Add("Reshape", [name, Ints(shape.ToArray())], ("allowzero", 1));

    /// <summary>With dimensions in another order.</summary>
    public string Transpose(string name, params long[] order) => Add("Transpose", [name], ("perm", order));

    /// <summary>A part along a dimension.</summary>
    public string Slice(string name, long dim, long start, long end, long step = 1) => Add("Slice", [name, Ints(start), Ints(end), Ints(dim), Ints(step)]);

    /// <summary>For what has no counterpart in ONNX after all.</summary>
    public GraphException Unfit(string why) => new($"ONNX export: {node.Operator.Name}{(node.Origin == Origin.None ? "" : $" ({node.Origin})")}: {why}");
}
