using System.Reflection;
using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>Boxes, casts and tokens.</content>
internal sealed partial class Interpreter
{
    private static void AddTypes(Dictionary<ILOpCode, Handler> all)
    {
        all.Add(ILOpCode.Box, (x, f, i) => f.Push(x.Box(f.Pop(), (Type)f.Code.Resolve(i))));
        all.Add(ILOpCode.Unbox, (_, f, i) => f.Push(StackValue.Address(new BoxLocation(Checked(f.Pop().Reference, (Type)f.Code.Resolve(i))))));
        all.Add(ILOpCode.Unbox_any, (_, f, i) => f.Push(Unbox(f.Pop(), (Type)f.Code.Resolve(i))));
        all.Add(ILOpCode.Castclass, (_, f, i) => f.Push(Cast(f.Pop(), (Type)f.Code.Resolve(i))));
        all.Add(ILOpCode.Isinst, (_, f, i) =>
        {
            var value = f.Pop();
            f.Push(Is(value.Reference, (Type)f.Code.Resolve(i)) ? value : StackValue.Null);
        });
        all.Add(ILOpCode.Ldtoken, (_, f, i) => f.Push(StackValue.Struct(f.Code.Resolve(i) switch
        {
            Type type => type.TypeHandle,
            FieldInfo field => field.FieldHandle,
            MethodBase method => (object)method.MethodHandle,
            var other => throw new InterpreterException($"the token of {other}"),
        })));
    }

    private StackValue Box(StackValue value, Type type)
    {
        if (!type.IsValueType)
        {
            return value;
        }

        if (value.Reference is SpanValue or RefStructValue or InlineArrayValue or InterpolatedText)
        {
            throw new InterpreterException($"a box around {type.Name}");
        }

        // The box of a struct is an object with an identity of its own.
        var box = value.Kind == ValueKind.Struct ? value.Reference is null ? null : ObjectCopy.Of(value.Reference) : value.ToObject(type);
        if (box is not null)
        {
            observer.Created(box);
        }

        return StackValue.Object(box);
    }

    private static StackValue Unbox(StackValue value, Type type)
    {
        if (!type.IsValueType)
        {
            return Cast(value, type);
        }

        if (Nullable.GetUnderlyingType(type) is { } inner)
        {
            return StackValue.Struct(value.Reference is null ? null : ObjectCopy.Of(Checked(value.Reference, inner)));
        }

        var box = Checked(value.Reference, type);
        return StackValue.From(Storage.Of(type) == StorageKind.Struct ? ObjectCopy.Of(box) : box, type);
    }

    private static StackValue Cast(StackValue value, Type type) => value.Reference is null || type.IsInstanceOfType(value.Reference)
        ? value
        : throw new InvalidCastException($"Unable to cast object of type '{value.Reference.GetType()}' to type '{type}'.");

    private static bool Is(object? value, Type type) => value is not null && (Nullable.GetUnderlyingType(type) ?? type).IsInstanceOfType(value);

    /// <summary>A box of that type; enumerations and their numbers are exchangeable.</summary>
    private static object Checked(object? box, Type type)
    {
        if (box is null)
        {
            throw new NullReferenceException();
        }

        var fits = type.IsInstanceOfType(box) || ((type.IsEnum || box is Enum) && Storage.Of(type) == Storage.Of(box.GetType()));
        return fits ? box : throw new InvalidCastException($"Unable to cast object of type '{box.GetType()}' to type '{type}'.");
    }
}
