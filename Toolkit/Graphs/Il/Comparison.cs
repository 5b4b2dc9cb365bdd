namespace Toolkit.Graphs.Il;

/// <summary>Instructions that compare two values.</summary>
internal static class Comparison
{
    /// <summary>Equality of numbers, identity of objects and places.</summary>
    public static bool AreEqual(StackValue a, StackValue b)
    {
        if (a.IsReal || b.IsReal)
        {
            return a.Double == b.Double;
        }

        if (a.IsInteger && b.IsInteger)
        {
            return a.Int64 == b.Int64;
        }

        return ReferenceEquals(a.Reference, b.Reference) || (a.Reference is Location place && b.Reference is Location other && place.IsSame(other));
    }

    /// <summary>Whether the first is less. A number that is none makes it false, or true where that is asked for (unordered).</summary>
    public static bool IsLess(StackValue a, StackValue b, bool unsigned)
    {
        if (a.IsReal || b.IsReal)
        {
            return unsigned ? !(a.Double >= b.Double) : a.Double < b.Double;
        }

        if (a.IsInteger && b.IsInteger)
        {
            return unsigned ? Unsigned(a, b) < Unsigned(b, a) : a.Int64 < b.Int64;
        }

        // "x is not null" is compiled to x > null.
        return a.Reference is null && b.Reference is not null;
    }

    /// <summary>Whether the first is not less. A number that is none makes it false, or true where that is asked for (unordered).</summary>
    public static bool IsAtLeast(StackValue a, StackValue b, bool unsigned) =>
        a.IsReal || b.IsReal ? (unsigned ? !(a.Double < b.Double) : a.Double >= b.Double) : !IsLess(a, b, unsigned);

    private static ulong Unsigned(StackValue value, StackValue other) =>
        value.Kind == ValueKind.Int32 && other.Kind == ValueKind.Int32 ? (uint)value.Int32 : (ulong)value.Int64;
}
