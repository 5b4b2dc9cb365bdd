using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>Stands for a delegate of the program in code that is not opened: calling it interprets the delegate.</summary>
internal sealed class Trampoline(Interpreter interpreter, Delegate function)
{
    private const int MostParameters = 5;

    /// <summary>A delegate of the same type that leads to the interpreter; null where its parameters forbid it.</summary>
    public static Delegate? Make(Interpreter interpreter, Delegate function)
    {
        var invoke = function.GetType().GetMethod("Invoke")!;
        var types = invoke.GetParameters().Select(parameter => parameter.ParameterType).ToArray();
        if (types.Length > MostParameters || types.Append(invoke.ReturnType).Any(type => type.IsByRef || type.IsByRefLike || type.IsPointer))
        {
            return null;
        }

        var returns = invoke.ReturnType != typeof(void);
        var generic = typeof(Trampoline).GetMethods(BindingFlags.Instance | BindingFlags.NonPublic)
            .Single(method => method.Name == (returns ? "Compute" : "Act") && method.GetParameters().Length == types.Length);
        var arguments = returns ? [.. types, invoke.ReturnType] : types;
        var method = arguments.Length == 0 ? generic : generic.MakeGenericMethod(arguments);
        return Delegate.CreateDelegate(function.GetType(), new Trampoline(interpreter, function), method);
    }

    private object? Run(params object?[] arguments)
    {
        if (!interpreter.IsRunning || !interpreter.Observer.IsOpening)
        {
            return function.GetType().GetMethod("Invoke")!.Invoke(function, BindingFlags.DoNotWrapExceptions, null, arguments, null);
        }

        return interpreter.InvokeDelegate(function, arguments);
    }

    private void Act() => Run();

    private void Act<T1>(T1 a) => Run(a);

    private void Act<T1, T2>(T1 a, T2 b) => Run(a, b);

    private void Act<T1, T2, T3>(T1 a, T2 b, T3 c) => Run(a, b, c);

    private void Act<T1, T2, T3, T4>(T1 a, T2 b, T3 c, T4 d) => Run(a, b, c, d);

    private void Act<T1, T2, T3, T4, T5>(T1 a, T2 b, T3 c, T4 d, T5 e) => Run(a, b, c, d, e);

    private TResult Compute<TResult>() => (TResult)Run()!;

    private TResult Compute<T1, TResult>(T1 a) => (TResult)Run(a)!;

    private TResult Compute<T1, T2, TResult>(T1 a, T2 b) => (TResult)Run(a, b)!;

    private TResult Compute<T1, T2, T3, TResult>(T1 a, T2 b, T3 c) => (TResult)Run(a, b, c)!;

    private TResult Compute<T1, T2, T3, T4, TResult>(T1 a, T2 b, T3 c, T4 d) => (TResult)Run(a, b, c, d)!;

    private TResult Compute<T1, T2, T3, T4, T5, TResult>(T1 a, T2 b, T3 c, T4 d, T5 e) => (TResult)Run(a, b, c, d, e)!;
}
