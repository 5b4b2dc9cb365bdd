using System.Reflection;
using System.Reflection.Metadata;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// What must hold of sizes for a program to take the way that it took for others: comparisons come out the same, divisions leave the same remainder. It is read from traces of calls with other sizes; a
/// program that does something else with a number that depends on sizes has none.
/// </summary>
internal sealed class SizeConditions
{
    private readonly HashSet<(ILOpCode Code, SizeForm A, SizeForm B)> _conditions = [];
    private readonly List<(SizeReal A, SizeReal B)> _orders = [];
    private readonly HashSet<Tensor> _read = new(ReferenceEqualityComparer.Instance);
    private readonly SizePoints _points;
    private readonly NumberTrace[] _traces;

    private SizeConditions(SizePoints points, NumberTrace[] traces) => (_points, _traces) = (points, traces);

    /// <summary>Why there are none; null where there are.</summary>
    public string? WhyNot { get; private set; }

    /// <summary>The real numbers that depend on sizes.</summary>
    public SizeReals Reals { get; } = new();

    /// <summary>Tensors whose shape the program read.</summary>
    public IReadOnlySet<Tensor> Read => _read;

    /// <summary>The conditions of a program.</summary>
    /// <param name="points">The sizes of the calls.</param>
    /// <param name="traces">What the calls did with numbers.</param>
    public static SizeConditions Of(SizePoints points, NumberTrace[] traces)
    {
        var conditions = new SizeConditions(points, traces);
        if (Array.Exists(traces, trace => trace.Uses.Count != traces[0].Uses.Count))
        {
            conditions.WhyNot = "the program does something else for another size";
        }

        for (var i = 0; i < traces[0].Uses.Count && conditions.WhyNot is null; i++)
        {
            conditions.Add(Array.ConvertAll(traces, trace => trace.Uses[i]));
        }

        return conditions;
    }

    /// <summary>Whether sizes are divided.</summary>
    public bool HasDivisions => _conditions.Any(condition => condition.Code == ILOpCode.Rem);

    /// <summary>What must hold of integers: the instruction, and what it was given. A remainder must be what it was, others must come out the same.</summary>
    public IReadOnlyCollection<(ILOpCode Code, SizeForm A, SizeForm B)> Integers => _conditions;

    /// <summary>Whether real numbers that depend on sizes are compared.</summary>
    public bool ComparesReals => _orders.Count > 0;

    /// <summary>Whether they hold.</summary>
    public bool Hold(long[] sizes) => _conditions.All(condition => Holds(condition.Code, condition.A, condition.B, sizes))
        && _orders.TrueForAll(order => order.A.At(sizes) is { } a && order.B.At(sizes) is { } b && a.CompareTo(b) == First(order.A).CompareTo(First(order.B)));

    /// <summary>Whether a call with sizes that they were not made from computed with the numbers that were to be expected: products of more than two sizes, say, are no <see cref="SizeForm"/>.</summary>
    public bool Foretell(long[] sizes, NumberTrace trace)
    {
        if (trace.Uses.Count != _traces[0].Uses.Count)
        {
            return false;
        }

        for (var i = 0; i < trace.Uses.Count; i++)
        {
            var (place, first) = (i, _traces[0].Uses[i]);
            var isSame = first.Method is null
                ? first.IsReal || (IsExpected(use => use.A, trace.Uses[i].A) && IsExpected(use => use.B, trace.Uses[i].B))
                : first.Method.Tokens.Length != trace.Uses[i].Method?.Tokens.Length || Enumerable.Range(0, first.Method.Tokens.Length).All(token => first.Method.Tokens[token] is not long || IsExpected(use => (long)use.Method!.Tokens[token]!, (long)trace.Uses[i].Method!.Tokens[token]!));
            if (!isSame)
            {
                return false;
            }

            bool IsExpected(Func<NumberUse, long> number, long seen) => new SizeForm(_points, Array.ConvertAll(_traces, own => number(own.Uses[place]))).At(sizes) == seen;
        }

        return true;
    }

    private void Add(NumberUse[] uses)
    {
        var first = uses[0];
        if (Array.Exists(uses, use => use.Code != first.Code || use.IsReal != first.IsReal || use.Method?.Method != first.Method?.Method || use.Method?.Tokens.Length != first.Method?.Tokens.Length))
        {
            WhyNot = "the program does something else for another size";
        }
        else if (first.Method is { } called)
        {
            AddCall(called.Method, Array.ConvertAll(uses, use => use.Method!), first.Code == ILOpCode.Ret);
        }
        else if (Array.Exists(uses, use => use.A != first.A || use.B != first.B))
        {
            var (a, b) = (Array.ConvertAll(uses, use => use.A), Array.ConvertAll(uses, use => use.B));
            if (first.IsReal)
            {
                AddReals(first.Code, first.IsSingle, a, b);
            }
            else
            {
                AddNumbers(first.Code, new(_points, a), new(_points, b));
            }
        }
    }

    private static double First(SizeReal real) => BitConverter.Int64BitsToDouble(real.Bits[0]);

    private void AddReals(ILOpCode code, bool isSingle, long[] a, long[] b)
    {
        if (IsComparison(code) && Reals.Find(a) is { } x && Reals.Find(b) is { } y)
        {
            _orders.Add((x, y));
        }
        else if (!Reals.TryCompute(code, isSingle, a, b))
        {
            WhyNot = $"{code} of a real number that depends on a size";
        }
    }

    private void AddNumbers(ILOpCode code, SizeForm a, SizeForm b)
    {
        if (Reals.TryConvert(code, a))
        {
            return;
        }

        if (IsComparison(code))
        {
            _conditions.Add((code, a, b));
        }
        else if (IsDivision(code) && b.IsConstant)
        {
            var divisor = code is ILOpCode.Shr or ILOpCode.Shr_un ? 1L << (int)b.Values[0] : b.Values[0];
            if (divisor == 0 || Array.Exists(a.Values, value => value % divisor != a.Values[0] % divisor))
            {
                WhyNot = $"a size is divided by {divisor}, with different remainders";
            }
            else
            {
                _conditions.Add((ILOpCode.Rem, a, new(_points, Array.ConvertAll(b.Values, _ => divisor))));
            }
        }
        else if (!(code is ILOpCode.Mul or ILOpCode.Mul_ovf or ILOpCode.Mul_ovf_un && !Enumerable.Range(0, _points.Base.Length).Any(size => a.DependsOn(size) && b.DependsOn(size))) && !(code == ILOpCode.Shl && b.IsConstant))
        {
            WhyNot = $"{code} of a number that depends on a size";
        }
    }

    private void AddCall(MethodBase method, NumberCall[] calls, bool isReturn)
    {
        if (isReturn && calls[0].Tensor is not null && TorchSharpApi.IsMetadata(method) && method.Name is "get_shape" or "size" or "numel" or "get_NumberOfElements")
        {
            _read.Add(calls[0].Tensor!);
        }
        else if (Array.Exists(calls, call => !IsSame(call.Tokens, calls[0].Tokens))
            && (isReturn ? Reals.TryReturn(method, Array.ConvertAll(calls, call => call.Tokens)) : Reals.TryCall(method, Array.ConvertAll(calls, call => call.Tokens))))
        {
            return;
        }
        else if (!isReturn && HostApi.RefusesNegative(method) && calls[0].Tokens is [_, long, ..])
        {
            var place = Numbers(calls, 1);
            _conditions.Add((ILOpCode.Clt, place, new(_points, new long[place.Values.Length])));
        }
        else if (Array.TrueForAll(calls, call => IsSame(call.Tokens, calls[0].Tokens)) || (isReturn && Compares(method))
            || (HostApi.Moves(method) && (isReturn || !Enumerable.Range(0, method.GetParameters().Length).Any(i => HostApi.IsPlace(method, i) && Array.Exists(calls, call => !IsSame(call.Tokens[i + 1], calls[0].Tokens[i + 1]))))))
        {
            return;
        }
        else if (Compares(method) && calls[0].Tokens.Length == 3)
        {
            _conditions.Add((ILOpCode.Clt, Numbers(calls, 1), Numbers(calls, 2)));
        }
        else
        {
            WhyNot = $"{MemberNames.Of(method)} {(isReturn ? "gives" : "is given")} a number that depends on a size";
        }
    }

    private SizeForm Numbers(NumberCall[] calls, int place) => new(_points, Array.ConvertAll(calls, call => (long)call.Tokens[place]!));

    /// <summary>The lesser or the greater of two numbers stays the same one.</summary>
    private static bool Compares(MethodBase method) => (method.DeclaringType == typeof(Math) || method.DeclaringType == typeof(int) || method.DeclaringType == typeof(long))
        && method.Name is "Min" or "Max" && method.GetParameters() is [{ ParameterType: var type }, _] && (type == typeof(int) || type == typeof(long));

    private static bool IsSame(object? a, object? b) => a is object?[] many && b is object?[] others ? many.Length == others.Length && many.Zip(others).All(pair => IsSame(pair.First, pair.Second)) : Equals(a, b);

    private static bool IsDivision(ILOpCode code) => code is ILOpCode.Div or ILOpCode.Div_un or ILOpCode.Rem or ILOpCode.Rem_un or ILOpCode.Shr or ILOpCode.Shr_un;

    private static bool IsComparison(ILOpCode code) => code is ILOpCode.Brtrue or ILOpCode.Brtrue_s or ILOpCode.Brfalse or ILOpCode.Brfalse_s || code.ToString() is ['C', 'e' or 'g' or 'l', ..] or ['B', 'e' or 'n' or 'g' or 'l', ..];

    private static bool Holds(ILOpCode code, SizeForm a, SizeForm b, long[] sizes)
    {
        if (a.At(sizes) is not { } x || b.At(sizes) is not { } y)
        {
            return false;
        }

        return code == ILOpCode.Rem ? x % y == a.Values[0] % b.Values[0] : Outcome(code, x, y) == Outcome(code, a.Values[0], b.Values[0]);
    }

    private static bool Outcome(ILOpCode code, long a, long b) => code switch
    {
        ILOpCode.Ceq or ILOpCode.Beq or ILOpCode.Beq_s or ILOpCode.Bne_un or ILOpCode.Bne_un_s or ILOpCode.Brtrue or ILOpCode.Brtrue_s or ILOpCode.Brfalse or ILOpCode.Brfalse_s => a == b,
        ILOpCode.Clt or ILOpCode.Blt or ILOpCode.Blt_s or ILOpCode.Bge or ILOpCode.Bge_s => a < b,
        ILOpCode.Cgt or ILOpCode.Bgt or ILOpCode.Bgt_s or ILOpCode.Ble or ILOpCode.Ble_s => a > b,
        ILOpCode.Clt_un or ILOpCode.Blt_un or ILOpCode.Blt_un_s or ILOpCode.Bge_un or ILOpCode.Bge_un_s => (ulong)a < (ulong)b,
        _ => (ulong)a > (ulong)b,
    };
}
