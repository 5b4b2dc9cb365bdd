using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>Reads what stands on the dispatcher's stack as arguments of a graph.</summary>
internal static unsafe class BoxedReader
{
    /// <summary>Which value stands for the tensor at an address.</summary>
    public delegate Value ValueOf(nint* tensor);

    /// <summary>An argument.</summary>
    /// <param name="value">Where it stands.</param>
    /// <param name="parameter">What it is for.</param>
    /// <param name="undefined">The tensor that is none.</param>
    /// <param name="tensor">Tells tensors.</param>
    /// <exception cref="GraphException">A graph cannot hold it.</exception>
    public static Argument Read(BoxedValue* value, OperatorParameter parameter, nint undefined, ValueOf tensor)
    {
        var type = parameter.Type.TrimEnd('?');
        return value->Tag switch
        {
            BoxedTag.None => NoArgument.Instance,
            BoxedTag.Tensor => value->Payload == undefined ? NoArgument.Instance : new ValueArgument(tensor((nint*)value)),
            BoxedTag.Double => value->Number,
            BoxedTag.Integer when type == "ScalarType" => DataTypes.Find((int)value->Payload) is { } data ? data : throw Unknown(parameter, $"the type {value->Payload}"),
            BoxedTag.Integer => (long)value->Payload,
            BoxedTag.Boolean => value->Small != 0,
            BoxedTag.Text => value->Text,
            BoxedTag.Device => new DeviceArgument(Device(value)),
            BoxedTag.List => List(value, parameter, type, undefined, tensor),
            BoxedTag.Generator => throw Unknown(parameter, "a generator of its own"),
            var tag => throw Unknown(parameter, $"a value of kind {(uint)tag}"),
        };
    }

    /// <summary>Addresses of the tensors in a result; 0 for one that is none.</summary>
    public static void Tensors(BoxedValue* value, List<nint> slots)
    {
        if (value->Tag == BoxedTag.Tensor)
        {
            slots.Add((nint)value);
        }
        else if (value->Tag == BoxedTag.List)
        {
            fixed (BoxedValue* first = value->Items)
            {
                for (var i = 0; i < value->Items.Length; i++)
                {
                    slots.Add(first[i].Tag == BoxedTag.Tensor ? (nint)(first + i) : 0);
                }
            }
        }
    }

    /// <summary>A result that is a number; not a number where it is none.</summary>
    public static double Number(BoxedValue* value) => value->Tag switch
    {
        BoxedTag.Double => value->Number,
        BoxedTag.Integer => value->Payload,
        BoxedTag.Boolean => value->Small != 0 ? 1 : 0,
        _ => double.NaN,
    };

    private static Argument List(BoxedValue* value, OperatorParameter parameter, string type, nint undefined, ValueOf tensor)
    {
        var items = value->Items;
        if (type.StartsWith("Tensor", StringComparison.Ordinal))
        {
            if (type == "Tensor?[]")
            {
                OptionalTensorList.Learn(value);
            }

            var values = ImmutableArray.CreateBuilder<Value?>(items.Length);
            fixed (BoxedValue* first = items)
            {
                for (var i = 0; i < items.Length; i++)
                {
                    values.Add(first[i].Tag != BoxedTag.Tensor || first[i].Payload == undefined ? null : tensor((nint*)(first + i)));
                }
            }

            return new ValuesArgument(values.MoveToImmutable());
        }

        var numbers = ImmutableArray.CreateBuilder<long>(items.Length);
        foreach (ref readonly var item in items)
        {
            numbers.Add(item.Tag switch
            {
                BoxedTag.Integer => item.Payload,
                BoxedTag.Boolean => item.Small != 0 ? 1 : 0,
                _ => throw Unknown(parameter, $"a list of values of kind {(uint)item.Tag}"),
            });
        }

        return new IntegersArgument(numbers.MoveToImmutable());
    }

    private static string Device(BoxedValue* value) => (TorchSharp.DeviceType)value->Small switch
    {
        TorchSharp.DeviceType.CPU => "cpu",
        TorchSharp.DeviceType.META => "meta",
        var other => $"{other.ToString().ToLowerInvariant()}:{Math.Max((int)value->Index, 0)}",
    };

    private static GraphException Unknown(OperatorParameter parameter, string what) => new($"\"{parameter.Name}\" is {what}, which a graph cannot hold");
}
