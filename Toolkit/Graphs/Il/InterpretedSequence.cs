using System.Collections;
using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>A sequence of the program (an iterator, say) in code that is not opened: going through it interprets the sequence.</summary>
internal sealed class InterpretedSequence<T>(Interpreter interpreter, object sequence) : IEnumerable<T>
{
    private static readonly MethodInfo _start = typeof(IEnumerable<T>).GetMethod(nameof(GetEnumerator))!;

    public IEnumerator<T> GetEnumerator() => interpreter.IsRunning && interpreter.Observer.IsOpening
        ? new Cursor(interpreter, interpreter.Invoke(_start, sequence)!)
        : ((IEnumerable<T>)sequence).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private sealed class Cursor(Interpreter interpreter, object cursor) : IEnumerator<T>
    {
        private static readonly MethodInfo _current = typeof(IEnumerator<T>).GetProperty(nameof(Current))!.GetMethod!;
        private static readonly MethodInfo _moveNext = typeof(IEnumerator).GetMethod(nameof(MoveNext))!;
        private static readonly MethodInfo _dispose = typeof(IDisposable).GetMethod(nameof(Dispose))!;

        public T Current => (T)Call(_current)!;

        object? IEnumerator.Current => Current;

        public bool MoveNext() => (bool)Call(_moveNext)!;

        public void Reset() => throw new NotSupportedException();

        public void Dispose() => Call(_dispose);

        private object? Call(MethodInfo method) => interpreter.IsRunning && interpreter.Observer.IsOpening
            ? interpreter.Invoke(method, cursor)
            : method.Invoke(cursor, BindingFlags.DoNotWrapExceptions, null, null, null);
    }
}
