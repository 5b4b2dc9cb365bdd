using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>What the C# compiler emits to reach the elements of an inline array.</summary>
internal static class InlineArrayIntrinsics
{
    public static bool Try(MethodBase method, StackValue[] arguments, out StackValue result)
    {
        result = default;
        if (!MemberNames.IsOfCompiler(method.DeclaringType!) || !method.Name.StartsWith("InlineArray", StringComparison.Ordinal))
        {
            return false;
        }

        var elements = ((InlineArrayValue)Intrinsics.Receiver(arguments[0])!).Elements;
        result = method.Name switch
        {
            "InlineArrayElementRef" or "InlineArrayElementRefReadOnly" => StackValue.Address(new ElementLocation(elements, arguments[1].Int32)),
            "InlineArrayFirstElementRef" or "InlineArrayFirstElementRefReadOnly" => StackValue.Address(new ElementLocation(elements, 0)),
            "InlineArrayAsSpan" or "InlineArrayAsReadOnlySpan" =>
                StackValue.Struct(SpanValue.Of(elements, elements.GetType().GetElementType()!).Slice(0, arguments[1].Int32)),
            var name => throw new InterpreterException(name),
        };
        return true;
    }
}
