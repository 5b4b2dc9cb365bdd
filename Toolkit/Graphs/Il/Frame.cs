using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>A call that is being interpreted: its variables, its stack, where it stands.</summary>
internal sealed class Frame(MethodCode code, StackValue[] arguments)
{
    private StackValue[] _stack = new StackValue[8];
    private int _depth;
    private StackValue[]? _kept;

    public MethodCode Code => code;

    public StackValue[] Arguments => arguments;

    public StackValue[] Locals { get; } = [.. code.Locals.Select(StackValue.Default)];

    /// <summary>Place of the instruction that is being executed.</summary>
    public int Place { get; set; }

    /// <summary>Place of the instruction after it; a jump changes it.</summary>
    public int Next { get; set; }

    /// <summary>How much was on the stack when the instruction that is being executed began.</summary>
    public int Start { get; set; }

    /// <summary>Whether it was called by the instruction at which the frame below it stands, so that its result goes there.</summary>
    public bool IsLinked { get; init; }

    /// <summary>Whether the method, or the filter of a handler, is done.</summary>
    public bool IsDone { get; set; }

    /// <summary>The type that the next call is constrained to.</summary>
    public Type? Constraint { get; set; }

    /// <summary>What is to be done when the handler that runs ends.</summary>
    public Stack<Unwinding> Unwindings { get; } = [];

    /// <summary>What each handler caught last.</summary>
    public Dictionary<ExceptionHandlingClause, Exception> Caught { get; } = [];

    /// <summary>For each argument and each local, which of the two came first since this was set: that it was read (1), or written (2); 3 for one that may be another each time. Null where nobody asks.</summary>
    public byte[]? Touched { get; set; }

    public int Depth => _depth;

    public ReadOnlySpan<StackValue> Stack => _stack.AsSpan(0, _depth);

    public void Push(StackValue value)
    {
        if (_depth == _stack.Length)
        {
            Array.Resize(ref _stack, 2 * _depth);
        }

        _stack[_depth++] = value;
    }

    public StackValue Pop() => _stack[--_depth];

    public StackValue Peek() => _stack[_depth - 1];

    public void Clear() => _depth = 0;

    /// <summary>An argument is read (1) or written (2).</summary>
    /// <returns>Whether it is read, and may be another each time.</returns>
    public bool TouchArgument(int index, byte how) => Touched is not null && Touch(index, how);

    /// <summary>A local is read (1) or written (2).</summary>
    /// <returns>Whether it is read, and may be another each time.</returns>
    public bool TouchLocal(int index, byte how) => Touched is not null && Touch(arguments.Length + index, how);

    private bool Touch(int variable, byte how)
    {
        ref var known = ref Touched![variable];
        if (known == 3 && how == 1)
        {
            return true;
        }

        known = known is 0 or 3 ? how : known;
        return false;
    }

    /// <summary>Remembers the stack as it was before the instruction: what is left above its top is still there.</summary>
    public void Keep() => _kept = _stack[..Start];

    /// <summary>Stands before the instruction again.</summary>
    public void Retry()
    {
        _kept!.CopyTo(_stack, 0);
        (_depth, _kept, IsDone) = (_kept.Length, null, false);
        if (Place > 0 && code.Instructions[Place - 1].Code == System.Reflection.Metadata.ILOpCode.Constrained)
        {
            Place--; // what it says was used up
        }
    }
}

/// <summary>Handlers that still have to run, and what comes after them: a place to go on at, or an exception to throw.</summary>
internal sealed record Unwinding(Queue<int> Handlers, int Target, Exception? Exception, ExceptionHandlingClause? Catch);
