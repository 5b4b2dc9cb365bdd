using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <content>Delegates of the program.</content>
internal sealed partial class Interpreter
{
    /// <summary>Calls a delegate with objects of .NET: how code that is not opened comes back.</summary>
    internal object? InvokeDelegate(Delegate function, object?[] arguments)
    {
        var invoke = function.GetType().GetMethod("Invoke")!;
        var values = invoke.GetParameters().Select((parameter, i) => StackValue.From(arguments[i], parameter.ParameterType)).ToArray();
        return CallDelegate(function, values).ToObject(invoke.ReturnType);
    }

    /// <summary>Calls a delegate.</summary>
    internal StackValue CallDelegate(Delegate function, StackValue[] arguments)
    {
        var invoke = function.GetType().GetMethod("Invoke")!;
        if (_gifts.IsWrapper(function) || !observer.IsOpening)
        {
            return CallNative(invoke, [StackValue.Object(function), .. arguments], isVirtual: true, isLeaf: false);
        }

        var result = StackValue.Null;
        var parts = function.GetInvocationList();
        _caller = parts.Length == 1 ? _caller : null;
        foreach (var part in parts)
        {
            // .NET puts delegates together of what it was given: wrappers.
            result = CallPart(_gifts.Inner(part), invoke, [.. arguments]);
        }

        return result;
    }

    private StackValue CallPart(Delegate part, MethodInfo invoke, StackValue[] arguments)
    {
        var method = part.Method;
        if (method.DeclaringType is null)
        {
            return CallNative(invoke, [StackValue.Object(part), .. arguments], isVirtual: true, isLeaf: false); // emitted at run time
        }

        // A static method may have its first argument bound, an instance method may be open.
        var isBound = method.IsStatic ? method.GetParameters().Length == arguments.Length + 1 : part.Target is not null;
        StackValue[] all = isBound ? [StackValue.Object(part.Target), .. arguments] : arguments;
        var first = method.IsStatic ? 0 : 1;
        var parameters = method.GetParameters();
        for (var i = first; i < all.Length; i++)
        {
            all[i] = all[i].As(parameters[i - first].ParameterType);
        }

        return Call(method, all, isVirtual: false, constraint: null).As(invoke.ReturnType);
    }
}
