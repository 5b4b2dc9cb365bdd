using System.Collections;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>An object that TorchSharp is given as the argument of an operator.</summary>
internal static class ArgumentOf
{
    /// <summary>For a parameter; null where it does not fit.</summary>
    public static Argument? Object(LeafCall call, object? value, OperatorParameter parameter)
    {
        if (value is null)
        {
            return parameter.Type.Contains('?') ? NoArgument.Instance : parameter.Default;
        }

        return parameter.Type.TrimEnd('?') switch
        {
            "Tensor" => value is Tensor tensor ? (Argument)call.Value(tensor) : null,
            "Tensor[]" => Tensors(call, value),
            "Scalar" => Number(value),
            "float" => Number(value) is IntegerArgument integer ? (Argument)(double)integer.Number : Number(value) as FloatArgument,
            "int" or "SymInt" => value is int or long or Enum ? (Argument)Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture) : null,
            "int[]" or "SymInt[]" => Integers(value) is { } numbers ? (Argument)numbers : null,
            "bool" => value is bool flag ? (Argument)flag : null,
            "str" => value is string or Enum ? (Argument)value.ToString()! : null,
            "ScalarType" => value is ScalarType type ? (Argument)type : null,
            "Device" => value is Device device ? new DeviceArgument(Name(device)) : null,
            _ => null,
        };
    }

    /// <summary>The number of a scalar.</summary>
    public static Argument? Number(object value) => value switch
    {
        bool flag => flag,
        int or long or short or byte or sbyte => Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture),
        float number => (double)number,
        double number => number,
        Scalar scalar => scalar.Type switch
        {
            ScalarType.Bool => scalar.ToBoolean(),
            ScalarType.Byte or ScalarType.Int8 or ScalarType.Int16 or ScalarType.Int32 or ScalarType.Int64 => scalar.ToInt64(),
            ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64 => scalar.ToDouble(),
            _ => null,
        },
        _ => null,
    };

    /// <summary>Integers: an array, a span, a single one.</summary>
    public static long[]? Integers(object? value) => value switch
    {
        long[] many => many,
        long one => [one],
        int one => [one],
        SpanValue { ElementType: var type } span when type == typeof(long) => (long[])span.ToArray(),
        Size size => size.Shape,
        ValueTuple<long, long> pair => [pair.Item1, pair.Item2],
        _ => null,
    };

    /// <summary>As in <c>cuda:0</c>.</summary>
    public static string Name(Device device) => device.type == DeviceType.CPU ? "cpu" : $"{device.type.ToString().ToLowerInvariant()}:{Math.Max(0, device.index)}";

    private static ValuesArgument? Tensors(LeafCall call, object value)
    {
        var list = value is SpanValue span ? span.ToArray() : value as IEnumerable;
        return list?.Cast<object?>().ToArray() is { } all && all.All(item => item is Tensor or null)
            ? new([.. all.Select(item => item is null ? null : call.Value(item))])
            : null;
    }
}
