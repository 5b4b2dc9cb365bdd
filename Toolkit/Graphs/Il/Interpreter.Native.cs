using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Il;

/// <content>Calls that .NET runs.</content>
internal sealed partial class Interpreter
{
    private StackValue CallNative(MethodBase method, StackValue[] arguments, bool isVirtual, bool isLeaf)
    {
        _caller = null;
        var type = method.DeclaringType!;
        if (method.IsConstructor && type == typeof(object))
        {
            return StackValue.Null;
        }

        if (method.IsConstructor && type.IsValueType && arguments[0].Reference is Location target)
        {
            var made = ConstructNative((ConstructorInfo)method, arguments[1..]);
            if (!IsSuspended)
            {
                target.Store(made);
            }

            return StackValue.Null;
        }

        var place = method.IsStatic ? null : arguments[0].Reference as Location;
        var self = method.IsStatic ? null : Receiver(arguments[0], type);
        var parameters = method.GetParameters();
        var values = Outgoing(parameters, arguments.AsSpan(method.IsStatic ? 0 : 1));
        observer.BeforeNative(method, self, values);
        if (IsSuspended)
        {
            return default;
        }

        if (SpanIntrinsics.OfList(method, values) is { } elements)
        {
            return StackValue.Struct(elements);
        }

        Func<object?> run = () => NativeCall.Run(method, self, values, isVirtual);
        var result = isLeaf ? observer.Leaf(method, self, values, run) : run();
        if (IsSuspended)
        {
            return default;
        }

        WriteBack(parameters, arguments.AsSpan(method.IsStatic ? 0 : 1), values);
        if (place is not null && place is not BoxLocation && type.IsValueType && !method.IsDefined(typeof(IsReadOnlyAttribute), false))
        {
            place.Store(StackValue.From(self, type));
        }

        observer.AfterNative(method, self, values, result);
        return Result(method, result);
    }

    private StackValue ConstructNative(ConstructorInfo constructor, StackValue[] arguments)
    {
        _caller = null;
        var type = constructor.DeclaringType!;
        if (type.IsByRefLike)
        {
            throw new InterpreterException($"a new {type.Name}, which only the real stack can hold");
        }

        var parameters = constructor.GetParameters();
        var values = Outgoing(parameters, arguments);
        observer.BeforeNative(constructor, null, values);
        if (IsSuspended)
        {
            return default;
        }

        var made = NativeCall.Construct(constructor, values)!;
        WriteBack(parameters, arguments, values);
        observer.Created(made);
        observer.AfterNative(constructor, null, values, made);
        return StackValue.From(made, type);
    }

    private static object Receiver(StackValue value, Type type)
    {
        if (value.Reference is BoxLocation box)
        {
            return box.Box; // what the call changes, it changes in the box (an enumerator, say)
        }

        if (value.Reference is not Location place)
        {
            return value.Reference ?? throw new NullReferenceException();
        }

        var loaded = place.Load();
        if (loaded.Kind != ValueKind.Struct)
        {
            return loaded.ToObject(type.IsValueType ? type : place.Type) ?? throw new NullReferenceException();
        }

        return ObjectCopy.Of(loaded.Reference switch
        {
            null => throw new NullReferenceException(),
            SpanValue or RefStructValue or InlineArrayValue or SpanCursor => throw new InterpreterException($"a call on {type.Name}"),
            var own => own,
        });
    }

    private object?[] Outgoing(ParameterInfo[] parameters, ReadOnlySpan<StackValue> arguments)
    {
        var values = new object?[parameters.Length];
        for (var i = 0; i < values.Length; i++)
        {
            var type = parameters[i].ParameterType;
            if (type.IsByRef)
            {
                var element = type.GetElementType()!;
                values[i] = arguments[i].Reference is Location place ? place.Load().ToObject(element) : throw new InterpreterException("a reference to nothing");
            }
            else
            {
                values[i] = observer.IsOpening ? _gifts.Wrap(this, arguments[i].ToObject(type), type) : arguments[i].ToObject(type);
            }

            if (values[i] is RefStructValue or InlineArrayValue or StackPointer or Location or InterpolatedText)
            {
                throw new InterpreterException($"a call that is given {type.Name}, which only the real stack can hold");
            }
        }

        return values;
    }

    private static void WriteBack(ParameterInfo[] parameters, ReadOnlySpan<StackValue> arguments, object?[] values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            if (parameters[i].ParameterType is { IsByRef: true } type && !IsReadOnly(parameters[i]))
            {
                ((Location)arguments[i].Reference!).Store(StackValue.From(values[i], type.GetElementType()!));
            }
        }
    }

    private static bool IsReadOnly(ParameterInfo parameter) => (parameter.IsIn && !parameter.IsOut) || parameter.IsDefined(typeof(IsReadOnlyAttribute), false);

    private static StackValue Result(MethodBase method, object? result)
    {
        var type = Returned(method);
        if (!type.IsByRef)
        {
            return StackValue.From(result, type);
        }

        if (!((MethodInfo)method).ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(InAttribute)))
        {
            throw new InterpreterException($"{method.DeclaringType?.Name}.{method.Name} returns a reference to a place");
        }

        var element = type.GetElementType()!;
        return StackValue.Address(new SlotLocation([StackValue.From(result, element)], 0, element));
    }
}
