namespace Toolkit.Graphs.Il;

/// <summary>A span: part of an array. Spans live on the real stack, so the interpreter keeps this in their place.</summary>
internal sealed class SpanValue(Type elementType, Array? array = null, int offset = 0, int length = 0)
{
    public Type ElementType => elementType;

    public Array? Array => array;

    public int Offset => offset;

    public int Length => length;

    /// <summary>Whether a type is a span.</summary>
    public static bool IsSpan(Type type) =>
        type.IsByRefLike && type.IsGenericType && type.GetGenericTypeDefinition() is var definition && (definition == typeof(ReadOnlySpan<>) || definition == typeof(Span<>));

    /// <summary>A whole array.</summary>
    public static SpanValue Of(Array? array, Type elementType) => new(elementType, array, 0, array?.Length ?? 0);

    /// <summary>A real span over the same memory.</summary>
    public static Span<T> ToSpan<T>(object? value) => value is SpanValue { Array: T[] array } span ? new(array, span.Offset, span.Length) : default;

    /// <inheritdoc cref="ToSpan"/>
    public static ReadOnlySpan<T> ToReadOnlySpan<T>(object? value) => value is SpanValue { Array: T[] array } span ? new(array, span.Offset, span.Length) : default;

    /// <summary>What a call returned, copied.</summary>
    public static object FromReadOnlySpan<T>(ReadOnlySpan<T> span) => new SpanValue(typeof(T), span.ToArray(), 0, span.Length);

    public SpanValue Slice(int start, int count) => (uint)start > (uint)length || (uint)count > (uint)(length - start)
        ? throw new ArgumentOutOfRangeException(nameof(start))
        : new(elementType, array, offset + start, count);

    /// <summary>The place of an element.</summary>
    /// <param name="index">Which.</param>
    /// <param name="writing">Told before the array changes.</param>
    public Location ElementAt(int index, Action<Array>? writing = null) =>
        (uint)index < (uint)length ? new ElementLocation(array!, offset + index, writing) : throw new IndexOutOfRangeException();

    public Array ToArray()
    {
        var copy = System.Array.CreateInstance(elementType, length);
        if (array is not null)
        {
            System.Array.Copy(array, offset, copy, 0, length);
        }

        return copy;
    }

    public override string ToString() => elementType == typeof(char) ? new string((char[])ToArray()) : $"Span<{elementType.Name}>[{length}]";
}

/// <summary>Goes through a span.</summary>
internal sealed class SpanCursor(SpanValue span, Action<Array> writing)
{
    private int _index = -1;

    public bool MoveNext() => ++_index < span.Length;

    public Location Current => span.ElementAt(_index, writing);
}
