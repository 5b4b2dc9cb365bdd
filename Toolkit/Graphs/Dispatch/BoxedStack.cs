using System.Collections.Immutable;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>A stack of values for an operator. What is on it when it is disposed of is given back.</summary>
internal sealed unsafe class BoxedStack : IDisposable
{
    private readonly DispatcherSymbols _symbols;

    /// <summary>An empty one.</summary>
    public BoxedStack(DispatcherSymbols symbols, int capacity)
    {
        _symbols = symbols;
        Vector = (NativeVector*)NativeMemory.Alloc((nuint)sizeof(NativeVector));
        // libtorch enlarges it, and frees what was, with the C++ allocator, which is C's.
        Vector->Begin = Vector->End = (BoxedValue*)NativeMemory.AllocZeroed((nuint)capacity, (nuint)sizeof(BoxedValue));
        Vector->Capacity = Vector->Begin + capacity;
    }

    /// <summary>The stack as libtorch sees it.</summary>
    public NativeVector* Vector { get; }

    /// <summary>Adds an argument.</summary>
    /// <param name="parameter">What it is for.</param>
    /// <param name="argument">What it is.</param>
    /// <param name="tensors">The tensors in it.</param>
    /// <exception cref="GraphException">It does not fit.</exception>
    public void Push(OperatorParameter parameter, Argument argument, ReadOnlySpan<Tensor> tensors)
    {
        var place = Vector->End;
        *place = default;
        Write(place, parameter, argument, tensors);
        Vector->End++;
    }

    /// <summary>What an operator left, in order, lists unrolled.</summary>
    public Tensor[] Tensors()
    {
        var all = new List<Tensor>();
        for (var value = Vector->Begin; value < Vector->End; value++)
        {
            if (value->Tag == BoxedTag.Tensor)
            {
                all.Add(Take(value));
            }
            else if (value->Tag == BoxedTag.List)
            {
                foreach (ref var item in value->Items)
                {
                    if (item.Tag is BoxedTag.Tensor or BoxedTag.None)
                    {
                        var copy = item;
                        all.Add(Take(&copy));
                    }
                }
            }
        }

        return [.. all];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Clear(_symbols, Vector);
        NativeMemory.Free(Vector->Begin);
        NativeMemory.Free(Vector);
    }

    /// <summary>Replaces what is on a stack by empty results.</summary>
    public static void Poison(DispatcherSymbols symbols, NativeVector* stack, ImmutableArray<string> returns)
    {
        Clear(symbols, stack);
        if (stack->Capacity - stack->Begin < returns.Length)
        {
            NativeMemory.Free(stack->Begin);
            stack->Begin = stack->End = (BoxedValue*)NativeMemory.AllocZeroed((nuint)returns.Length, (nuint)sizeof(BoxedValue));
            stack->Capacity = stack->Begin + returns.Length;
        }

        foreach (var type in returns)
        {
            *stack->End = default;
            switch (type)
            {
                case "Tensor":
                    using (var nothing = torch.empty(0))
                    {
                        Share(stack->End, nothing);
                    }

                    break;
                case "int" or "SymInt" or "bool" or "float":
                    stack->End->Tag = type == "bool" ? BoxedTag.Boolean : type == "float" ? BoxedTag.Double : BoxedTag.Integer;
                    break;
                case "Scalar":
                    stack->End->Tag = BoxedTag.Double;
                    break;
                case var list when list.StartsWith("Tensor", StringComparison.Ordinal):
                    symbols.NewTensorList(stack->End, null, 0);
                    break;
            }

            stack->End++;
        }
    }

    private static void Clear(DispatcherSymbols symbols, NativeVector* stack)
    {
        for (var value = stack->Begin; value < stack->End; value++)
        {
            if (value->Tag is BoxedTag.None or BoxedTag.Double or BoxedTag.Integer or BoxedTag.Boolean or BoxedTag.Device)
            {
                continue;
            }

            var own = (BoxedValue*)NativeMemory.Alloc((nuint)sizeof(BoxedValue));
            *own = *value;
            *value = default;
            _ = symbols.DeleteValue(own);
        }

        stack->End = stack->Begin;
    }

    private static void Share(BoxedValue* place, Tensor tensor)
    {
        // The reference count of libtorch 2.10's objects: the lower half of the word behind the table of virtual functions.
        var identity = TensorMemory.Identity(tensor);
        Interlocked.Increment(ref *(int*)(identity + 8));
        GC.KeepAlive(tensor);
        place->Payload = identity;
        place->Tag = BoxedTag.Tensor;
    }

    private Tensor Take(BoxedValue* value)
    {
        if (value->Tag == BoxedTag.None || value->Payload == _symbols.Undefined)
        {
            return torch.empty(0);
        }

        nint* handle;
        _ = _symbols.NewTensor((nint*)value, &handle);
        return Tensor.UnsafeCreateTensor((nint)handle);
    }

    private void Write(BoxedValue* place, OperatorParameter parameter, Argument argument, ReadOnlySpan<Tensor> tensors)
    {
        var type = parameter.Type.TrimEnd('?');
        switch (argument)
        {
            case NoArgument when parameter.Type == "Tensor":
                (place->Payload, place->Tag) = (_symbols.Undefined, BoxedTag.Tensor);
                break;
            case NoArgument:
                break;
            case ValueArgument:
                Share(place, tensors[0]);
                break;
            case ValuesArgument list:
                WriteTensors(place, type, list, tensors);
                break;
            case BooleanArgument flag when type is "bool" or "Scalar":
                (place->Payload, place->Tag) = (flag.Flag ? 1 : 0, BoxedTag.Boolean);
                break;
            case IntegerArgument number when type is "float":
                (place->Number, place->Tag) = (number.Number, BoxedTag.Double);
                break;
            case IntegerArgument number when type is "int" or "SymInt" or "Scalar" or "Layout" or "MemoryFormat" or "ScalarType":
                (place->Payload, place->Tag) = ((nint)number.Number, BoxedTag.Integer);
                break;
            case IntegerArgument number when type is "bool":
                (place->Payload, place->Tag) = (number.Number != 0 ? 1 : 0, BoxedTag.Boolean);
                break;
            case FloatArgument number when type is "float" or "Scalar":
                (place->Number, place->Tag) = (number.Number, BoxedTag.Double);
                break;
            case DataTypeArgument data:
                (place->Payload, place->Tag) = ((nint)(int)data.Type, BoxedTag.Integer);
                break;
            case TextArgument text:
                NativeString own;
                NativeString.Write(&own, text.Text);
                _symbols.NewText(place, &own);
                NativeString.Free(&own);
                break;
            case DeviceArgument device:
                WriteDevice(place, device.Device);
                break;
            case IntegersArgument numbers when type is "bool[]" && numbers.Numbers.Length is 2 or 3 or 4:
                var bits = numbers.Numbers.Select((number, i) => number != 0 ? 1u << (8 * i) : 0).Aggregate((a, b) => a | b);
                _symbols.NewFlagList(numbers.Numbers.Length)(place, bits);
                break;
            case IntegersArgument numbers when type is "int[]" or "SymInt[]":
                fixed (long* start = numbers.Numbers.AsSpan())
                {
                    _symbols.NewIntegerList(place, start, numbers.Numbers.Length);
                }

                break;
            case IntegersArgument { Numbers.Length: 0 } when type is "Tensor[]":
                _symbols.NewTensorList(place, null, 0);
                break;
            default:
                throw new GraphException($"\"{parameter.Name}\" is {parameter.Type} and cannot be given {argument}");
        }
    }

    private void WriteTensors(BoxedValue* place, string type, ValuesArgument list, ReadOnlySpan<Tensor> tensors)
    {
        var count = list.Items.Length;
        var all = stackalloc nint[count + 1];
        for (var (i, next) = (0, 0); i < count; i++)
        {
            all[i] = list.Items[i] is null ? _symbols.Undefined : *(nint*)tensors[next++].Handle;
        }

        _symbols.NewTensorList(place, all, count);
        foreach (var tensor in tensors)
        {
            GC.KeepAlive(tensor);
        }

        if (type == "Tensor?[]")
        {
            OptionalTensorList.Convert(place, _symbols.Undefined);
        }
    }

    private static void WriteDevice(BoxedValue* place, string name)
    {
        var device = torch.device(name);
        place->Payload = 0;
        (place->Small, place->Index, place->Tag) = ((sbyte)device.type, (sbyte)(device.type == TorchSharp.DeviceType.CPU ? -1 : device.index), BoxedTag.Device);
    }
}
