using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>
/// Runs methods by their instructions (ECMA-335). Everything is really executed: objects, arrays, fields and exceptions are the program's own; only variables and
/// the evaluation stack are the interpreter's. What its <see cref="Observer"/> does not open is called by reflection. One thread, one interpreter.
/// </summary>
internal sealed partial class Interpreter(Observer observer)
{
    private const int DeepestNesting = 200;

    private readonly List<Frame> _frames = [];
    private readonly Gifts _gifts = new();

    /// <summary>Instructions executed so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Whether it is at work: a delegate that it gave away is called directly afterwards.</summary>
    public bool IsRunning => _frames.Count > 0 && Environment.CurrentManagedThreadId == _thread;

    private readonly int _thread = Environment.CurrentManagedThreadId;

    /// <summary>Whether the code that asks is being interpreted: .NET says no, the interpreter yes.</summary>
    public static bool IsInterpreting => false;

    /// <summary>What sees the program.</summary>
    public Observer Observer => observer;

    /// <summary>Runs a method.</summary>
    /// <param name="method">The method.</param>
    /// <param name="self">Its receiver; null for a static method.</param>
    /// <param name="arguments">What it is given.</param>
    /// <exception cref="InterpreterException">It does something that cannot be interpreted; what it did until then was done.</exception>
    public object? Invoke(MethodBase method, object? self, params object?[] arguments)
    {
        var parameters = method.GetParameters();
        var values = new StackValue[parameters.Length + (method.IsStatic ? 0 : 1)];
        var first = values.Length - parameters.Length;
        if (first == 1)
        {
            values[0] = StackValue.Object(self);
        }

        for (var i = 0; i < parameters.Length; i++)
        {
            values[first + i] = StackValue.From(arguments[i], parameters[i].ParameterType);
        }

        return Call(method, values, isVirtual: !method.IsStatic, constraint: null).ToObject(Returned(method));
    }

    /// <summary>Where the innermost call stands that an outsider would recognise.</summary>
    /// <param name="isKnown">Whether a method is one that he knows.</param>
    public (MethodBase Method, int Offset)? Position(Func<MethodBase, bool> isKnown)
    {
        for (var i = _frames.Count - 1; i >= 0; i--)
        {
            var code = _frames[i].Code;
            if (isKnown(code.Method))
            {
                return (code.Method, code.Instructions[Math.Min(_frames[i].Place, code.Instructions.Length - 1)].Offset);
            }
        }

        return null;
    }

    /// <summary>Where each call stands, the innermost first.</summary>
    public IEnumerable<(MethodBase Method, int Offset)> Positions()
    {
        for (var i = _frames.Count - 1; i >= 0; i--)
        {
            var code = _frames[i].Code;
            yield return (code.Method, code.Instructions[Math.Min(_frames[i].Place, code.Instructions.Length - 1)].Offset);
        }
    }

    private static Type Returned(MethodBase method) => method is MethodInfo info ? info.ReturnType : typeof(void);

    private StackValue Execute(MethodCode code, StackValue[] arguments)
    {
        for (var i = 0; i < arguments.Length; i++)
        {
            arguments[i] = arguments[i].As(code.Arguments[i]);
        }

        var frame = new Frame(code, arguments) { IsLinked = _caller is not null && _frames.Count > 0 && ReferenceEquals(_caller, _frames[^1]) };
        _caller = null;
        _frames.Add(frame);
        try
        {
            observer.Entering(code.Method, arguments);
            while (true)
            {
                try
                {
                    Run(frame);
                    return IsSuspended || frame.Depth == 0 ? StackValue.Null : frame.Pop().As(code.Returns);
                }
                catch (Exception exception)
                {
                    Unwind(frame, exception);
                }
            }
        }
        finally
        {
            _frames.RemoveAt(_frames.Count - 1);
            observer.Leaving(code.Method);
        }
    }

    private void Run(Frame frame)
    {
        var instructions = frame.Code.Instructions;
        frame.IsDone = false;
        while (!frame.IsDone)
        {
            var instruction = instructions[frame.Place];
            frame.Next = frame.Place + 1;
            frame.Start = frame.Depth;
            Steps++;
            Step(frame, instruction);
            if (IsSuspended)
            {
                return; // it stays at the instruction
            }

            frame.Place = frame.Next;
        }
    }
}
