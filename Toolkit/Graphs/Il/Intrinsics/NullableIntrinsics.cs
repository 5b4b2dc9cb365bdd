using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>Values that may be missing: the stack holds null or the value.</summary>
internal static class NullableIntrinsics
{
    public static bool Try(MethodBase method, StackValue[] arguments, out StackValue result)
    {
        result = default;
        if (method.IsStatic || Nullable.GetUnderlyingType(method.DeclaringType!) is not { } type)
        {
            return false;
        }

        if (method.IsConstructor)
        {
            ((Location)arguments[0].Reference!).Store(StackValue.Struct(arguments[1].ToObject(type)));
            return true;
        }

        var value = Intrinsics.Receiver(arguments[0]);
        result = method.Name switch
        {
            "get_HasValue" => StackValue.Of(value is not null),
            "get_Value" => StackValue.From(value ?? throw new InvalidOperationException("Nullable object must have a value."), type),
            "GetValueOrDefault" when value is not null => StackValue.From(value, type),
            "GetValueOrDefault" => arguments.Length > 1 ? arguments[1].As(type) : StackValue.Default(type),
            "ToString" => StackValue.Object(value?.ToString() ?? ""),
            "GetHashCode" => StackValue.Of(value?.GetHashCode() ?? 0),
            "Equals" => StackValue.Of(Equals(value, arguments[1].Reference)),
            "GetType" => StackValue.Object((value ?? throw new NullReferenceException()).GetType()),
            var name => throw new InterpreterException($"Nullable.{name}"),
        };
        return true;
    }
}
