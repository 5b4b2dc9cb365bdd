using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>Decides what the interpreter opens, and sees what the program reads and changes. This one opens the program's own assemblies and looks at nothing.</summary>
internal class Observer
{
    private static readonly string _framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
    private readonly Dictionary<MethodBase, CallKind> _kinds = [];
    private readonly Dictionary<Assembly, bool> _programs = [];

    /// <summary>Whether calls are still opened; once it is false, every call is run by .NET.</summary>
    public virtual bool IsOpening => true;

    /// <summary>What happens to calls of a method.</summary>
    public CallKind Classify(MethodBase method)
    {
        if (!_kinds.TryGetValue(method, out var kind))
        {
            _kinds[method] = kind = Decide(method);
        }

        return kind;
    }

    /// <summary>Whether an assembly is a program's, not the framework's.</summary>
    public bool IsProgram(Assembly assembly)
    {
        if (!_programs.TryGetValue(assembly, out var known))
        {
            _programs[assembly] = known = Path.GetDirectoryName(assembly.Location) is not { } folder || folder != _framework;
        }

        return known;
    }

    /// <summary>A call is about to be run by .NET; what it is given may be replaced.</summary>
    public virtual void BeforeNative(MethodBase method, object? self, object?[] arguments)
    {
    }

    /// <summary>A call was run by .NET.</summary>
    public virtual void AfterNative(MethodBase method, object? self, object?[] arguments, object? result)
    {
    }

    /// <summary>Runs a call of kind <see cref="CallKind.Leaf"/>.</summary>
    public virtual object? Leaf(MethodBase method, object? self, object?[] arguments, Func<object?> run) => run();

    /// <summary>A call is about to be interpreted.</summary>
    public virtual void Entering(MethodBase method, StackValue[] arguments)
    {
    }

    /// <summary>An interpreted call has ended.</summary>
    public virtual void Leaving(MethodBase method)
    {
    }

    /// <summary>A field was read, or a reference to it was taken.</summary>
    public virtual void Reading(object? owner, FieldInfo field)
    {
    }

    /// <summary>A variable is about to be read that may be another each time.</summary>
    public virtual void ReadingVolatile()
    {
    }

    /// <summary>A field is about to change.</summary>
    public virtual void Writing(object? owner, FieldInfo field)
    {
    }

    /// <summary>An element of an array was read.</summary>
    public virtual void ReadingElement(Array array)
    {
    }

    /// <summary>An element of an array is about to change.</summary>
    public virtual void WritingElement(Array array)
    {
    }

    /// <summary>An instruction computes with numbers, compares them, goes by them or finds an element by them.</summary>
    public virtual void Computing(System.Reflection.Metadata.ILOpCode code, StackValue a, StackValue b)
    {
    }

    /// <summary>The program made an object.</summary>
    public virtual void Created(object value)
    {
    }

    /// <summary>A method cannot be opened and is run by .NET.</summary>
    public virtual void Closed(MethodBase method, string reason)
    {
    }

    /// <summary>What happens to calls of a method, decided once.</summary>
    protected virtual CallKind Decide(MethodBase method) =>
        method.DeclaringType is { } type && IsProgram(type.Assembly) && MethodCode.Of(method) is not null ? CallKind.Interpret : CallKind.Native;
}
