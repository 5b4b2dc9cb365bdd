using System.Collections;
using System.Reflection;
using System.Reflection.Metadata;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// What a call did with numbers, in order: traces of calls with other sizes tell which numbers depend on sizes, and what the program did with them. Sums and differences are not in it: they show where
/// they are used.
/// </summary>
internal sealed class NumberTrace
{
    private readonly Dictionary<object, int> _objects = new(ReferenceEqualityComparer.Instance);
    private readonly List<NumberUse> _uses = [];

    /// <summary>What was done.</summary>
    public IReadOnlyList<NumberUse> Uses => _uses;

    /// <summary>An instruction was given numbers.</summary>
    public void Compute(ILOpCode code, StackValue a, StackValue b)
    {
        if ((a.IsInteger || a.IsReal) && !(a.IsInteger && IsFollowed(code)))
        {
            _uses.Add(new(code, a.IsReal, Bits(a), Bits(b), null) { IsSingle = a.Kind == ValueKind.Single && b.Kind is ValueKind.Single or ValueKind.Object });
        }
    }

    /// <summary>A method is called that .NET runs.</summary>
    public void Call(MethodBase method, object? self, object?[] arguments) =>
        _uses.Add(new(ILOpCode.Call, false, 0, 0, new(method, null, [.. arguments.Prepend(self).Select(value => Token(value, HostApi.LooksInto(method)))])));

    /// <summary>What it gave.</summary>
    public void Return(MethodBase method, object? self, object? result) => _uses.Add(new(ILOpCode.Ret, false, 0, 0, new(method, self as Tensor, [Token(result, false)])));

    /// <summary>Integers that go through these stay what they are, or become sums and differences.</summary>
    private static bool IsFollowed(ILOpCode code) => code is ILOpCode.Add or ILOpCode.Add_ovf or ILOpCode.Add_ovf_un or ILOpCode.Sub or ILOpCode.Sub_ovf or ILOpCode.Sub_ovf_un
        or ILOpCode.Conv_i4 or ILOpCode.Conv_u4 or ILOpCode.Conv_i8 or ILOpCode.Conv_u8 or ILOpCode.Conv_i or ILOpCode.Conv_u
        or ILOpCode.Conv_ovf_i4 or ILOpCode.Conv_ovf_u4 or ILOpCode.Conv_ovf_i8 or ILOpCode.Conv_ovf_u8 or ILOpCode.Conv_ovf_i or ILOpCode.Conv_ovf_u
        or ILOpCode.Conv_ovf_i4_un or ILOpCode.Conv_ovf_u4_un or ILOpCode.Conv_ovf_i8_un or ILOpCode.Conv_ovf_u8_un or ILOpCode.Conv_ovf_i_un or ILOpCode.Conv_ovf_u_un;

    private static long Bits(StackValue value) => value.IsReal ? BitConverter.DoubleToInt64Bits(value.Double) : value.IsInteger ? value.Int64 : 0;

    /// <summary>What is compared between traces: numbers by value, collections by their elements, objects by the order in which they came.</summary>
    private object? Token(object? value, bool looksInto)
    {
        switch (value)
        {
            case null or string or Enum or Type:
                return value;
            case int or long or short or sbyte or byte or uint or ushort or char or nint:
                return value is nint address ? (long)address : Convert.ToInt64(value, null);
            case SpanValue span:
                return Token(span.ToArray(), looksInto);
            case Array or IList when value is ICollection { Count: <= 1024 } collection:
                return collection.Cast<object?>().Select(element => Token(element, looksInto)).ToArray();
            case Tensor or nn.Module or Delegate:
                return Number(value);
        }

        var type = value.GetType();
        return type.IsPrimitive ? value
            : type.IsValueType || (looksInto && type.Assembly != typeof(object).Assembly && type.Assembly != TorchSharpApi.Assembly) ? Fields(value, type)
            : Number(value);
    }

    private object?[] Fields(object value, Type type) =>
        [type, .. type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Where(field => !field.FieldType.IsPointer).Select(field => Token(field.GetValue(value), false))];

    private NumberedObject Number(object value)
    {
        if (!_objects.TryGetValue(value, out var number))
        {
            _objects[value] = number = _objects.Count;
        }

        return new(number);
    }
}

/// <summary>An object, by the order in which objects came.</summary>
internal sealed record NumberedObject(int Number);

/// <summary>Something done with numbers.</summary>
/// <param name="Code">The instruction.</param>
/// <param name="IsReal">Whether the numbers are real.</param>
/// <param name="A">The first, or its bits.</param>
/// <param name="B">The second, or its bits; 0 where there is none.</param>
/// <param name="Method">The method that was called, or has returned; null for instructions that compute.</param>
internal readonly record struct NumberUse(ILOpCode Code, bool IsReal, long A, long B, NumberCall? Method)
{
    /// <summary>Whether real numbers are rounded to single precision.</summary>
    public bool IsSingle { get; init; }
}

/// <summary>A call, or the return from one.</summary>
/// <param name="Method">The method.</param>
/// <param name="Tensor">The tensor that told what it is; null for others.</param>
/// <param name="Tokens">What it was given, receiver first, or what it gave.</param>
internal sealed record NumberCall(MethodBase Method, Tensor? Tensor, object?[] Tokens);
