using System.Collections;
using System.Linq.Expressions;
using System.Reflection;
using Toolkit.Graphs.Dispatch;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Something that was so when a graph was captured, and must be so for the graph to stand for a call.</summary>
/// <param name="Path">Where it is read.</param>
internal abstract record Guard(AccessPath Path)
{
    /// <summary>Code that tells whether it still is so.</summary>
    public abstract Expression Condition(Expression value);

    /// <summary>The same, slowly: to say which guard failed.</summary>
    public abstract bool Holds(object? value);
}

/// <summary>A number, a text, an enumeration, nothing.</summary>
internal sealed record ValueGuard(AccessPath Path, object? Expected) : Guard(Path)
{
    private static readonly MethodInfo _sameText = typeof(string).GetMethod(nameof(string.Equals), [typeof(string), typeof(string)])!;

    public override Expression Condition(Expression value)
    {
        if (Expected is null)
        {
            // A type may have an equality of its own: that of tensors gives a tensor.
            return value.Type.IsValueType ? Expression.Not(Expression.Property(value, "HasValue")) : Expression.ReferenceEqual(value, Expression.Constant(null, value.Type));
        }

        return (Expected, value.Type) switch
        {
            (double number, { } type) when type == typeof(double) => Bits(nameof(BitConverter.DoubleToInt64Bits), BitConverter.DoubleToInt64Bits(number)),
            (float number, { } type) when type == typeof(float) => Bits(nameof(BitConverter.SingleToInt32Bits), BitConverter.SingleToInt32Bits(number)),
            (string, { } type) when type == typeof(string) => Expression.Call(_sameText, value, Expression.Constant(Expected)),
            (_, { IsPrimitive: true } or { IsEnum: true }) => Expression.Equal(value, Expression.Constant(Expected, value.Type)),
            _ => Expression.Call(typeof(ValueGuard), nameof(AreSame), null, Expression.Convert(value, typeof(object)), Expression.Constant(Expected, typeof(object))),
        };

        Expression Bits(string method, object bits) => Expression.Equal(Expression.Call(typeof(BitConverter), method, null, value), Expression.Constant(bits));
    }

    public override bool Holds(object? value) => AreSame(value, Expected);

    /// <summary>Whether two values are the same to the last bit: zeros have signs, and what is no number is still the same.</summary>
    private static bool AreSame(object? a, object? b) => (a, b) switch
    {
        (double x, double y) => BitConverter.DoubleToInt64Bits(x) == BitConverter.DoubleToInt64Bits(y),
        (float x, float y) => BitConverter.SingleToInt32Bits(x) == BitConverter.SingleToInt32Bits(y),
        _ => Equals(a, b),
    };

    public override string ToString() => $"{Path} is {(Expected is string text ? $"\"{text}\"" : Expected ?? "null")}";
}

/// <summary>This very object.</summary>
internal sealed record IdentityGuard(AccessPath Path, object Expected) : Guard(Path)
{
    public override Expression Condition(Expression value) => Expression.ReferenceEqual(Expression.Convert(value, typeof(object)), Expression.Constant(Expected, typeof(object)));

    public override bool Holds(object? value) => ReferenceEquals(value, Expected);

    public override string ToString() => $"{Path} is the same {MemberNames.Of(Expected.GetType())}";
}

/// <summary>A dictionary with these keys, in this order.</summary>
internal sealed record KeysGuard(AccessPath Path, object[] Expected) : Guard(Path)
{
    public override Expression Condition(Expression value) => Expression.Call(Expression.Constant(this), nameof(Holds), null, Expression.Convert(value, typeof(object)));

    public override bool Holds(object? value)
    {
        if (value is not IDictionary dictionary || dictionary.Count != Expected.Length)
        {
            return false;
        }

        var i = 0;
        foreach (DictionaryEntry entry in dictionary)
        {
            if (!entry.Key.Equals(Expected[i++]))
            {
                return false;
            }
        }

        return true;
    }

    public override string ToString() => $"{Path} has the keys {string.Join(", ", Expected)}";
}

/// <summary>An array of these numbers.</summary>
internal sealed record NumbersGuard(AccessPath Path, Array Expected) : Guard(Path)
{
    public override Expression Condition(Expression value) => Expression.Call(Expression.Constant(this), nameof(Holds), null, Expression.Convert(value, typeof(object)));

    public override bool Holds(object? value) => value?.GetType() == Expected.GetType() && (value, Expected) switch
    {
        (long[] a, long[] b) => a.AsSpan().SequenceEqual(b),
        (int[] a, int[] b) => a.AsSpan().SequenceEqual(b),
        _ => ((Array)value).Length == Expected.Length && ((Array)value).Cast<object>().SequenceEqual(Expected.Cast<object>()),
    };

    public override string ToString() => $"{Path} holds {string.Join(", ", Expected.Cast<object>())}";
}

/// <summary>This device, whichever object names it: a tensor makes a new one each time that it is asked where it lies.</summary>
internal sealed record DeviceGuard(AccessPath Path, Device Expected) : Guard(Path)
{
    public override Expression Condition(Expression value) =>
        Expression.Call(typeof(DeviceGuard), nameof(AreSame), null, Expression.Convert(value, typeof(object)), Expression.Constant(Expected));

    public override bool Holds(object? value) => AreSame(value, Expected);

    private static bool AreSame(object? value, Device expected) =>
        ReferenceEquals(value, expected) || (value is Device device && device.GetType() == typeof(Device) && device.type == expected.type && device.index == expected.index);

    public override string ToString() => $"{Path} is {Expected}";
}

/// <summary>An object of this type.</summary>
internal sealed record TypeGuard(AccessPath Path, Type Expected) : Guard(Path)
{
    public override Expression Condition(Expression value) => Expression.TypeEqual(value, Expected);

    public override bool Holds(object? value) => value?.GetType() == Expected;

    public override string ToString() => $"{Path} is {Template.Article(MemberNames.Of(Expected))}";
}

/// <summary>A tensor of a type.</summary>
internal sealed record TensorGuard(AccessPath Path, TensorCheck Check) : Guard(Path)
{
    public override Expression Condition(Expression value) =>
        Expression.Call(Expression.Constant(Check), typeof(TensorCheck).GetMethod(nameof(TensorCheck.Holds))!, Expression.Convert(value, typeof(Tensor)));

    public override bool Holds(object? value) => Check.Holds(value as Tensor);

    public override string ToString() => $"{Path} is {Check}";
}

/// <summary>The same tensor as another.</summary>
internal sealed record AliasGuard(AccessPath Path, AccessPath Other, bool AreSame) : Guard(Path)
{
    public override Expression Condition(Expression value) => throw new InvalidOperationException("it compares two paths");

    public override bool Holds(object? value) => throw new InvalidOperationException("it compares two paths");

    public override string ToString() => $"{Path} is {(AreSame ? "" : "not ")}the tensor of {Other}";
}

/// <summary>Under another handle the same tensor as another, or in other memory than another.</summary>
internal sealed record MemoryGuard(AccessPath Path, AccessPath Other, bool AreOne) : Guard(Path)
{
    public override Expression Condition(Expression value) => throw new InvalidOperationException("it compares two paths");

    public override bool Holds(object? value) => throw new InvalidOperationException("it compares two paths");

    /// <summary>Whether it is so.</summary>
    public bool Holds(Tensor? a, Tensor? b) => a is not null && b is not null && (AreOne ? TensorMemory.AreOne(a, b) : !TensorMemory.AreShared(a, b));

    public override string ToString() => AreOne ? $"{Path} is the tensor of {Other}" : $"{Path} shares no memory with {Other}";
}

/// <summary>What a collection holds.</summary>
internal sealed record ContentGuard(AccessPath Path, Contents Contents) : Guard(Path)
{
    public override Expression Condition(Expression value) => Expression.Call(Expression.Constant(Contents, typeof(Contents)), nameof(Contents.Holds), null);

    public override bool Holds(object? value) => Contents.Holds();

    public override string ToString() => $"{Path} holds the same {Quantity.Of(Contents.Count, "element")}";
}
