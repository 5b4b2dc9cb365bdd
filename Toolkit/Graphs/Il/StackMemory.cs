using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>What stackalloc gives: bytes that only a span may be laid over.</summary>
internal sealed record StackMemory(int Bytes)
{
    public SpanValue ToSpan(Type elementType, int length) => SpanValue.Of(Array.CreateInstance(elementType, length), elementType);
}

/// <summary>What ldftn gives: the method that a delegate is made of.</summary>
internal sealed record FunctionPointer(MethodBase Method);
