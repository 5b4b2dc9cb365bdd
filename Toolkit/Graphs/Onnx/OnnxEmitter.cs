using System.Globalization;
using Google.Protobuf;
using Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Writes the nodes and constants of an ONNX graph.</summary>
internal sealed class OnnxEmitter(GraphProto graph)
{
    private readonly Dictionary<string, string> _constants = new(StringComparer.Ordinal);
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private long _bytes;
    private int _next;

    /// <summary>Where the nodes that are written next come from.</summary>
    public Origin Origin { get; set; } = Origin.None;

    /// <summary>A type of values as ONNX numbers it.</summary>
    /// <exception cref="GraphException">ONNX has none.</exception>
    public static int TypeOf(ScalarType type) => (int)(type switch
    {
        ScalarType.Float32 => TensorProto.Types.DataType.Float,
        ScalarType.Float64 => TensorProto.Types.DataType.Double,
        ScalarType.Float16 => TensorProto.Types.DataType.Float16,
        ScalarType.BFloat16 => TensorProto.Types.DataType.Bfloat16,
        ScalarType.Int64 => TensorProto.Types.DataType.Int64,
        ScalarType.Int32 => TensorProto.Types.DataType.Int32,
        ScalarType.Int16 => TensorProto.Types.DataType.Int16,
        ScalarType.Int8 => TensorProto.Types.DataType.Int8,
        ScalarType.Byte => TensorProto.Types.DataType.Uint8,
        ScalarType.Bool => TensorProto.Types.DataType.Bool,
        _ => throw new GraphException($"ONNX export: tensors of {type} are not written"),
    });

    /// <summary>A name that nothing has yet: the wanted one, or with a number.</summary>
    public string Unique(string wanted)
    {
        var name = wanted;
        for (var i = 2; name == "" || !_names.Add(name); i++)
        {
            name = FormattableString.Invariant($"{wanted} #{i}");
        }

        return name;
    }

    /// <summary>A node with one output.</summary>
    /// <returns>Name of the output.</returns>
    public string Add(string op, IEnumerable<string> inputs, params (string Name, object Value)[] attributes) => Add(op, inputs, 1, attributes)[0];

    /// <summary>A node.</summary>
    /// <returns>Names of its outputs.</returns>
    public string[] Add(string op, IEnumerable<string> inputs, int outputs, params (string Name, object Value)[] attributes)
    {
        var node = new NodeProto { OpType = op, Name = FormattableString.Invariant($"{(Origin.Module == "" ? "" : Origin.Module + "/")}{op}_{graph.Node.Count}"), DocString = Origin.ToString() };

        // An input that is left out is named only where another follows: ONNX Runtime crashes on some of the others.
        var given = inputs.ToArray();
        node.Input.Add(given.Take(Array.FindLastIndex(given, input => input != "") + 1));
        for (var i = 0; i < outputs; i++)
        {
            node.Output.Add(Unique(FormattableString.Invariant($"%{_next++}")));
        }

        node.Attribute.Add(attributes.Select(Attribute));
        graph.Node.Add(node);
        return [.. node.Output];
    }

    /// <summary>A constant of integers, of one dimension.</summary>
    public string Integers(params ReadOnlySpan<long> numbers)
    {
        var values = numbers.ToArray();
        return Constant($"i64[{string.Join(',', values)}]", () => tensor(values, [values.Length], ScalarType.Int64));
    }

    /// <summary>A constant without dimensions.</summary>
    public string Number(double value, ScalarType type) => Constant($"{type} {value.ToString("R", CultureInfo.InvariantCulture)}", () => tensor(value, ScalarType.Float64).to(type));

    /// <summary>A constant integer without dimensions.</summary>
    public string Integer(long value) => Constant(FormattableString.Invariant($"i64 {value}"), () => tensor(value, ScalarType.Int64));

    /// <summary>A constant of one value everywhere.</summary>
    public string Filled(double value, TensorType type) => Constant($"{type} {value.ToString("R", CultureInfo.InvariantCulture)}", () =>
    {
        using var number = value.ToScalar();
        return full(type.Shape.ToArray(), number, type.DType);
    });

    /// <summary>Adds a tensor under a name.</summary>
    /// <param name="wanted">The name.</param>
    /// <param name="value">The tensor.</param>
    /// <param name="isOutline">Whether its values are left out.</param>
    public string Initializer(string wanted, Tensor value, bool isOutline = false)
    {
        using var scope = NewDisposeScope();
        var name = Unique(wanted);
        var proto = new TensorProto { Name = name, DataType = TypeOf(value.dtype) };
        proto.Dims.Add(value.shape);
        if (isOutline)
        {
            graph.Initializer.Add(proto);
            return name;
        }

        var dense = value.detach().cpu().resolve_conj().resolve_neg().contiguous();
        var size = dense.numel() * dense.element_size();
        _bytes += size;
        if (_bytes >= int.MaxValue - (1 << 24))
        {
            throw new GraphException($"ONNX export: the weights have more than {int.MaxValue >> 20} MB, the most that one ONNX file holds");
        }

        proto.RawData = Bytes(dense, (int)size);
        graph.Initializer.Add(proto);
        return name;
    }

    private static unsafe ByteString Bytes(Tensor dense, int size)
    {
        var bytes = size == 0 ? ByteString.Empty : ByteString.CopyFrom(new ReadOnlySpan<byte>((void*)Cpu.LibTorchCalls.Address(dense.Handle), size));
        GC.KeepAlive(dense);
        return bytes;
    }

    private string Constant(string key, Func<Tensor> value)
    {
        if (!_constants.TryGetValue(key, out var name))
        {
            using var scope = NewDisposeScope();
            _constants[key] = name = Initializer($"constant {key}", value());
        }

        return name;
    }

    private static AttributeProto Attribute((string Name, object Value) attribute)
    {
        var proto = new AttributeProto { Name = attribute.Name };
        switch (attribute.Value)
        {
            case int or long or bool:
                (proto.Type, proto.I) = (AttributeProto.Types.AttributeType.Int, Convert.ToInt64(attribute.Value, CultureInfo.InvariantCulture));
                break;
            case double number:
                (proto.Type, proto.F) = (AttributeProto.Types.AttributeType.Float, (float)number);
                break;
            case string text:
                (proto.Type, proto.S) = (AttributeProto.Types.AttributeType.String, ByteString.CopyFromUtf8(text));
                break;
            default:
                proto.Type = AttributeProto.Types.AttributeType.Ints;
                proto.Ints.Add((IEnumerable<long>)attribute.Value);
                break;
        }

        return proto;
    }
}
