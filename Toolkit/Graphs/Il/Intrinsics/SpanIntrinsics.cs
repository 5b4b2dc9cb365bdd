using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Il;

/// <summary>Spans.</summary>
internal static class SpanIntrinsics
{
    public static bool Try(Interpreter interpreter, MethodBase method, StackValue[] arguments, out StackValue result)
    {
        if (!Make(interpreter, method, arguments, out result))
        {
            return false;
        }

        // A span of an array that was there before the call: what it holds is read from now on.
        if (result.Reference is SpanValue { Array: { } array })
        {
            interpreter.Observer.ReadingElement(array);
        }

        return true;
    }

    private static bool Make(Interpreter interpreter, MethodBase method, StackValue[] arguments, out StackValue result)
    {
        result = default;
        var type = method.DeclaringType!;
        if (SpanValue.IsSpan(type))
        {
            return method.IsStatic ? Static(method, type.GetGenericArguments()[0], arguments, out result) : Instance(interpreter, method, arguments, out result);
        }

        if (type is { IsNested: true, Name: "Enumerator" } && (type.DeclaringType == typeof(Span<>) || type.DeclaringType == typeof(ReadOnlySpan<>)))
        {
            return Cursor(method, arguments, out result);
        }

        if (type == typeof(string) && method.Name == "op_Implicit")
        {
            result = Whole(((string?)arguments[0].Reference)?.ToCharArray(), typeof(char));
            return true;
        }

        if (type == typeof(MemoryExtensions) && method.Name == "AsSpan" && arguments[0].Reference is Array or string && arguments.Skip(1).All(argument => argument.IsInteger))
        {
            var array = arguments[0].Reference as Array ?? ((string)arguments[0].Reference!).ToCharArray();
            var whole = SpanValue.Of(array, array.GetType().GetElementType()!);
            var start = arguments.Length > 1 ? arguments[1].Int32 : 0;
            result = StackValue.Struct(whole.Slice(start, arguments.Length > 2 ? arguments[2].Int32 : whole.Length - start));
            return true;
        }

        if (type == typeof(RuntimeHelpers) && method.Name == nameof(RuntimeHelpers.CreateSpan))
        {
            result = Constants((RuntimeFieldHandle)arguments[0].Reference!, ((MethodInfo)method).GetGenericArguments()[0]);
            return true;
        }

        return false;
    }

    /// <summary>The elements of a list, in place: a collection expression is filled through them. Null where the call asks for something else.</summary>
    public static SpanValue? OfList(MethodBase method, object?[] arguments)
    {
        if (method.DeclaringType != typeof(CollectionsMarshal) || method.Name != nameof(CollectionsMarshal.AsSpan))
        {
            return null;
        }

        var element = method.GetGenericArguments()[0];
        var list = typeof(List<>).MakeGenericType(element);
        var items = list.GetField("_items", BindingFlags.Instance | BindingFlags.NonPublic) ?? throw new InterpreterException("a span over a list");
        return arguments[0] is { } given ? SpanValue.Of((Array)items.GetValue(given)!, element).Slice(0, ((ICollection)given).Count) : new SpanValue(element);
    }

    /// <summary>A new span: of an array, of part of one, of stack memory, or of one value that is only read.</summary>
    public static SpanValue Construct(Type type, StackValue[] arguments)
    {
        var element = type.GetGenericArguments()[0];
        switch (arguments[0].Reference)
        {
            case StackPointer pointer:
                return pointer.Memory.ToSpan(element, pointer.Offset, arguments[1].Int32);
            case Location place when type.GetGenericTypeDefinition() == typeof(ReadOnlySpan<>):
                var one = Array.CreateInstance(element, 1);
                one.SetValue(place.Load().ToObject(element), 0);
                return SpanValue.Of(one, element);
            case Array or null when arguments[0].Kind == ValueKind.Object:
                var whole = SpanValue.Of((Array?)arguments[0].Reference, element);
                return arguments.Length == 1 ? whole : whole.Slice(arguments[1].Int32, arguments[2].Int32);
            default:
                throw new InterpreterException("a span over a pointer");
        }
    }

    private static StackValue Whole(Array? array, Type element) => StackValue.Struct(SpanValue.Of(array, element));

    private static bool Static(MethodBase method, Type element, StackValue[] arguments, out StackValue result)
    {
        result = method.Name switch
        {
            "op_Implicit" => arguments[0].Reference is SpanValue ? arguments[0] : Whole((Array?)arguments[0].Reference, element),
            "get_Empty" => StackValue.Struct(new SpanValue(element)),
            "op_Equality" or "op_Inequality" => throw new InterpreterException("identity of spans"),
            _ => throw new InterpreterException($"Span.{method.Name}"),
        };
        return true;
    }

    private static bool Instance(Interpreter interpreter, MethodBase method, StackValue[] arguments, out StackValue result)
    {
        if (method.IsConstructor)
        {
            result = StackValue.Struct(Construct(method.DeclaringType!, arguments[1..]));
            ((Location)arguments[0].Reference!).Store(result);
            return true;
        }

        var span = (SpanValue)Intrinsics.Receiver(arguments[0])!;
        switch (method.Name)
        {
            case "get_Length":
                result = StackValue.Of(span.Length);
                return true;
            case "get_IsEmpty":
                result = StackValue.Of(span.Length == 0);
                return true;
            case "get_Item":
                result = StackValue.Address(span.ElementAt(arguments[1].Int32, interpreter.Observer.WritingElement));
                return true;
            case "Slice":
                var start = arguments[1].Int32;
                result = StackValue.Struct(span.Slice(start, arguments.Length > 2 ? arguments[2].Int32 : span.Length - start));
                return true;
            case "ToArray":
                result = StackValue.Object(span.ToArray());
                return true;
            case "GetEnumerator":
                result = StackValue.Struct(new SpanCursor(span, interpreter.Observer.WritingElement));
                return true;
            case "ToString":
                result = StackValue.Object(span.ToString());
                return true;
            case "CopyTo":
                Copy(interpreter, span, (SpanValue)arguments[1].Reference!);
                result = default;
                return true;
            case "Clear" or "Fill":
                for (var i = 0; i < span.Length; i++)
                {
                    span.ElementAt(i, interpreter.Observer.WritingElement).Store(method.Name == "Fill" ? arguments[1] : StackValue.Default(span.ElementType));
                }

                result = default;
                return true;
            default:
                throw new InterpreterException($"Span.{method.Name}");
        }
    }

    private static void Copy(Interpreter interpreter, SpanValue from, SpanValue to)
    {
        if (from.Length > to.Length)
        {
            throw new ArgumentException("Destination is too short.");
        }

        if (from.Length > 0)
        {
            interpreter.Observer.WritingElement(to.Array!);
            Array.Copy(from.Array!, from.Offset, to.Array!, to.Offset, from.Length);
        }
    }

    private static bool Cursor(MethodBase method, StackValue[] arguments, out StackValue result)
    {
        var cursor = (SpanCursor)Intrinsics.Receiver(arguments[0])!;
        result = method.Name switch
        {
            "MoveNext" => StackValue.Of(cursor.MoveNext()),
            "get_Current" => StackValue.Address(cursor.Current),
            _ => throw new InterpreterException($"Span.Enumerator.{method.Name}"),
        };
        return true;
    }

    private static StackValue Constants(RuntimeFieldHandle handle, Type element)
    {
        var field = FieldInfo.GetFieldFromHandle(handle);
        var bytes = field.FieldType.StructLayoutAttribute is { Size: > 0 } layout ? layout.Size : System.Runtime.InteropServices.Marshal.SizeOf(field.FieldType);
        var array = Array.CreateInstance(element, bytes / System.Runtime.InteropServices.Marshal.SizeOf(element.IsEnum ? Enum.GetUnderlyingType(element) : element));
        RuntimeHelpers.InitializeArray(array, handle);
        return Whole(array, element);
    }
}
