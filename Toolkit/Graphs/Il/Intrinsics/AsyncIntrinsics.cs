using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>Asynchronous methods whose awaits are all complete: their state machine is interpreted at once.</summary>
internal static class AsyncIntrinsics
{
    public static bool Try(Interpreter interpreter, MethodBase method, StackValue[] arguments, out StackValue result)
    {
        result = default;
        if (method.DeclaringType!.Namespace != "System.Runtime.CompilerServices" || !method.DeclaringType.Name.StartsWith("Async", StringComparison.Ordinal))
        {
            return false;
        }

        switch (method.Name)
        {
            case "Start" or "MoveNext":
                var machine = ((MethodInfo)method).GetGenericArguments()[0];
                var step = machine.GetMethod("MoveNext", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)!;
                var place = arguments[^1];
                interpreter.Call(step, [machine.IsValueType ? place : StackValue.Object(((Location)place.Reference!).Load().Reference)], isVirtual: false, constraint: null);
                return true;
            case "AwaitOnCompleted" or "AwaitUnsafeOnCompleted":
                throw new InterpreterException("an await of a task that is not complete");
            default:
                return false;
        }
    }
}
