using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <summary>
/// What the interpreter gives to code that it does not open: delegates and sequences of the program, made so that calling them leads back to the interpreter.
/// </summary>
internal sealed class Gifts
{
    private readonly ConditionalWeakTable<Delegate, Delegate> _wrapped = [];
    private readonly ConditionalWeakTable<Delegate, Delegate> _made = [];

    /// <summary>An argument for a parameter of a type.</summary>
    public object? Wrap(Interpreter interpreter, object? value, Type type) => value switch
    {
        Delegate function => Wrap(interpreter, function),
        string or Array or null => value,
        IEnumerable sequence when IsOpened(interpreter, sequence.GetType()) => Wrap(interpreter, sequence, type),
        _ => value,
    };

    /// <summary>Whether a delegate leads back to an interpreter.</summary>
    public bool IsWrapper(Delegate function) => _made.TryGetValue(function, out _);

    /// <summary>The delegate of the program that a wrapper stands for; any other delegate itself.</summary>
    public Delegate Inner(Delegate function) => _made.TryGetValue(function, out var inner) ? inner : function;

    private static bool IsOpened(Interpreter interpreter, Type type) => type.DeclaringType is not null && interpreter.Observer.IsProgram(type.Assembly);

    private static object Wrap(Interpreter interpreter, IEnumerable sequence, Type type)
    {
        var element = sequence.GetType().GetInterfaces().FirstOrDefault(face => face.IsGenericType && face.GetGenericTypeDefinition() == typeof(IEnumerable<>));
        if (element is null)
        {
            return sequence;
        }

        var wrapper = typeof(InterpretedSequence<>).MakeGenericType(element.GetGenericArguments());
        return type.IsAssignableFrom(wrapper) ? Activator.CreateInstance(wrapper, interpreter, sequence)! : sequence;
    }

    private Delegate Wrap(Interpreter interpreter, Delegate function)
    {
        if (IsWrapper(function) || function.GetInvocationList().All(part => part.Method.DeclaringType is null || interpreter.Observer.Classify(part.Method) == CallKind.Native))
        {
            return function;
        }

        if (_wrapped.TryGetValue(function, out var known))
        {
            return known;
        }

        var wrapped = Trampoline.Make(interpreter, function) ?? function;
        _wrapped.AddOrUpdate(function, wrapped);
        _made.AddOrUpdate(wrapped, function);
        interpreter.Observer.Created(wrapped);
        return wrapped;
    }
}
