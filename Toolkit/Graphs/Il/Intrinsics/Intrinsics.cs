using System.Reflection;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <summary>Calls that reflection cannot make, because what they work on lives on the real stack, and calls that lead back to the interpreter.</summary>
internal static class Intrinsics
{
    /// <summary>Runs a call if it is one of them.</summary>
    public static bool Try(Interpreter interpreter, MethodBase method, StackValue[] arguments, out StackValue result)
    {
        result = default;
        var type = method.DeclaringType;
        if (type is null)
        {
            return false;
        }

        if (type == typeof(Interpreter) && method.Name == $"get_{nameof(Interpreter.IsInterpreting)}")
        {
            result = StackValue.Of(true);
            return true;
        }

        if (typeof(Delegate).IsAssignableFrom(type))
        {
            return method.Name == "Invoke" && DelegateCall(interpreter, method, arguments, out result);
        }

        if (type.Namespace is not ("System" or "System.Runtime.CompilerServices" or "System.Runtime.InteropServices" or "System.Threading" or null) && !MemberNames.IsOfCompiler(type))
        {
            return false;
        }

        return NullableIntrinsics.Try(method, arguments, out result)
            || SpanIntrinsics.Try(interpreter, method, arguments, out result)
            || InlineArrayIntrinsics.Try(method, arguments, out result)
            || TextIntrinsics.Try(interpreter, method, arguments, out result)
            || AsyncIntrinsics.Try(interpreter, method, arguments, out result)
            || LockIntrinsics.Try(method, out result);
    }

    /// <summary>Makes a value if it is one that only the real stack can hold.</summary>
    public static bool TryConstruct(Type type, StackValue[] arguments, out StackValue made)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner)
        {
            made = StackValue.Struct(arguments[0].ToObject(inner));
            return true;
        }

        if (SpanValue.IsSpan(type))
        {
            made = StackValue.Struct(SpanIntrinsics.Construct(type, arguments));
            return true;
        }

        made = StackValue.Struct(type == typeof(DefaultInterpolatedStringHandler) ? new InterpolatedText() : null);
        return type == typeof(DefaultInterpolatedStringHandler);
    }

    /// <summary>What a managed reference to a value, or the value itself, holds.</summary>
    public static object? Receiver(StackValue value) => value.Reference is Location place ? place.Load().Reference : value.Reference;

    private static bool DelegateCall(Interpreter interpreter, MethodBase method, StackValue[] arguments, out StackValue result)
    {
        var function = (Delegate)(arguments[0].Reference ?? throw new NullReferenceException());
        result = interpreter.CallDelegate(function, arguments[1..]);
        return true;
    }
}
