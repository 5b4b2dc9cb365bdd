using System.Reflection;
using System.Reflection.Metadata;

namespace Toolkit.Graphs.Capture;

/// <summary>A real number that depends on sizes: what it was at some points, and how it is computed for others.</summary>
/// <param name="Bits">What it was, by point.</param>
/// <param name="At">What it is for some sizes; null where a number that it is computed from would not be whole.</param>
internal sealed record SizeReal(long[] Bits, Func<long[], double?> At);

/// <summary>
/// The real numbers that a program computed of sizes. Each step is known by what it was given: a number that is the same, bit by bit, at each point is the one that was computed before.
/// </summary>
internal sealed class SizeReals
{
    private readonly List<SizeReal> _all = [];
    private readonly Stack<(MethodBase Method, SizeReal[] Arguments)> _calls = [];

    /// <summary>The number that was this at each point; null for one that nobody computed in sight.</summary>
    public SizeReal? Find(long[] bits) => Array.TrueForAll(bits, own => own == bits[0])
        ? new(bits, _ => BitConverter.Int64BitsToDouble(bits[0]))
        : _all.Find(real => real.Bits.AsSpan().SequenceEqual(bits)) ?? Negative(bits);

    /// <summary>A conversion to a real number.</summary>
    public bool TryConvert(ILOpCode code, SizeForm form)
    {
        if (code is not (ILOpCode.Conv_r4 or ILOpCode.Conv_r8))
        {
            return false;
        }

        double Of(long value) => code == ILOpCode.Conv_r4 ? (float)value : value;
        _all.Add(new(Array.ConvertAll(form.Values, value => BitConverter.DoubleToInt64Bits(Of(value))), sizes => form.At(sizes) is { } value ? Of(value) : null));
        return true;
    }

    /// <summary>An instruction that was given real numbers.</summary>
    public bool TryCompute(ILOpCode code, bool isSingle, long[] a, long[] b)
    {
        if (Find(a) is not { } x || Find(b) is not { } y || Function(code, isSingle) is not { } function)
        {
            return false;
        }

        _all.Add(new(
            [.. a.Zip(b, (left, right) => BitConverter.DoubleToInt64Bits(function(BitConverter.Int64BitsToDouble(left), BitConverter.Int64BitsToDouble(right))))],
            sizes => x.At(sizes) is { } left && y.At(sizes) is { } right ? function(left, right) : null));
        return true;
    }

    /// <summary>A function of real numbers is called.</summary>
    public bool TryCall(MethodBase method, object?[][] tokens)
    {
        if (!IsFunction(method))
        {
            return false;
        }

        var arguments = new SizeReal[method.GetParameters().Length];
        for (var i = 0; i < arguments.Length; i++)
        {
            if (Find(Array.ConvertAll(tokens, own => Bits(own[i + 1]))) is not { } argument)
            {
                return false;
            }

            arguments[i] = argument;
        }

        _calls.Push((method, arguments));
        return true;
    }

    /// <summary>It returns.</summary>
    public bool TryReturn(MethodBase method, object?[][] tokens)
    {
        if (!_calls.TryPeek(out var call) || call.Method != method)
        {
            return false;
        }

        _calls.Pop();
        var parameters = method.GetParameters();
        _all.Add(new(Array.ConvertAll(tokens, own => Bits(own[0])), sizes =>
        {
            var values = new object[parameters.Length];
            for (var i = 0; i < values.Length; i++)
            {
                if (call.Arguments[i].At(sizes) is not { } value)
                {
                    return null;
                }

                values[i] = parameters[i].ParameterType == typeof(float) ? (object)(float)value : value;
            }

            return Convert.ToDouble(method.Invoke(null, values), null);
        }));
        return true;
    }

    private SizeReal? Negative(long[] bits) => _all.Find(real => real.Bits.Zip(bits).All(pair => pair.First == (pair.Second ^ long.MinValue))) is { } real
        ? new(bits, sizes => -real.At(sizes))
        : null;

    private static long Bits(object? token) => BitConverter.DoubleToInt64Bits(Convert.ToDouble(token, null));

    private static Func<double, double, double>? Function(ILOpCode code, bool isSingle) => code switch
    {
        ILOpCode.Add => isSingle ? (a, b) => (float)((float)a + (float)b) : (a, b) => a + b,
        ILOpCode.Sub => isSingle ? (a, b) => (float)((float)a - (float)b) : (a, b) => a - b,
        ILOpCode.Mul => isSingle ? (a, b) => (float)((float)a * (float)b) : (a, b) => a * b,
        ILOpCode.Div => isSingle ? (a, b) => (float)((float)a / (float)b) : (a, b) => a / b,
        ILOpCode.Rem => isSingle ? (a, b) => (float)((float)a % (float)b) : (a, b) => a % b,
        ILOpCode.Conv_r4 => (a, _) => (float)a,
        ILOpCode.Conv_r8 => (a, _) => a,
        _ => null,
    };

    private static bool IsFunction(MethodBase method) => (method.DeclaringType == typeof(Math) || method.DeclaringType == typeof(MathF) || method.DeclaringType == typeof(double) || method.DeclaringType == typeof(float))
        && method is MethodInfo { IsStatic: true } function && IsReal(function.ReturnType) && Array.TrueForAll(function.GetParameters(), parameter => IsReal(parameter.ParameterType));

    private static bool IsReal(Type type) => type == typeof(double) || type == typeof(float);
}
