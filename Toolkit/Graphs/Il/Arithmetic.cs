using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <summary>Instructions that compute with two numbers.</summary>
internal static class Arithmetic
{
    public static StackValue Binary(ILOpCode code, StackValue a, StackValue b)
    {
        if (a.IsReal || b.IsReal)
        {
            return a.Kind == ValueKind.Single && b.Kind == ValueKind.Single
                ? StackValue.Of(Real(code, (float)a.Double, (float)b.Double))
                : StackValue.Of(Real(code, a.Double, b.Double));
        }

        if (a.Reference is StackPointer pointer && b.IsInteger && code is ILOpCode.Add or ILOpCode.Sub)
        {
            return StackValue.Address(pointer.Plus(code == ILOpCode.Add ? b.Int64 : -b.Int64));
        }

        if (!a.IsInteger || !b.IsInteger)
        {
            throw new InterpreterException("arithmetic on managed references");
        }

        // The number of places of a shift may be an int where the number that is shifted is a long.
        if (a.Kind == ValueKind.Int32 && (b.Kind == ValueKind.Int32 || IsShift(code)))
        {
            return StackValue.Of(Narrow(code, a.Int32, (int)b.Int64));
        }

        var result = Wide(code, a.Int64, b.Int64);
        return a.Kind == ValueKind.Int64 || (b.Kind == ValueKind.Int64 && !IsShift(code)) ? StackValue.Of(result) : StackValue.Native(result);
    }

    public static StackValue Negate(StackValue value) => value.Kind switch
    {
        ValueKind.Int32 => StackValue.Of(unchecked(-value.Int32)),
        ValueKind.Int64 => StackValue.Of(unchecked(-value.Int64)),
        ValueKind.Single => StackValue.Of((float)-value.Double),
        ValueKind.Double => StackValue.Of(-value.Double),
        _ => StackValue.Native(unchecked(-value.Int64)),
    };

    public static StackValue Complement(StackValue value) => value.Kind switch
    {
        ValueKind.Int32 => StackValue.Of(~value.Int32),
        ValueKind.Int64 => StackValue.Of(~value.Int64),
        _ => StackValue.Native(~value.Int64),
    };

    private static bool IsShift(ILOpCode code) => code is ILOpCode.Shl or ILOpCode.Shr or ILOpCode.Shr_un;

    private static float Real(ILOpCode code, float a, float b) => code switch
    {
        ILOpCode.Add => a + b,
        ILOpCode.Sub => a - b,
        ILOpCode.Mul => a * b,
        ILOpCode.Div => a / b,
        ILOpCode.Rem => a % b,
        _ => throw Unknown(code),
    };

    private static double Real(ILOpCode code, double a, double b) => code switch
    {
        ILOpCode.Add => a + b,
        ILOpCode.Sub => a - b,
        ILOpCode.Mul => a * b,
        ILOpCode.Div => a / b,
        ILOpCode.Rem => a % b,
        _ => throw Unknown(code),
    };

    private static int Narrow(ILOpCode code, int a, int b) => code switch
    {
        ILOpCode.Add => unchecked(a + b),
        ILOpCode.Sub => unchecked(a - b),
        ILOpCode.Mul => unchecked(a * b),
        ILOpCode.Div => a / b,
        ILOpCode.Rem => a % b,
        ILOpCode.Div_un => (int)((uint)a / (uint)b),
        ILOpCode.Rem_un => (int)((uint)a % (uint)b),
        ILOpCode.And => a & b,
        ILOpCode.Or => a | b,
        ILOpCode.Xor => a ^ b,
        ILOpCode.Shl => a << b,
        ILOpCode.Shr => a >> b,
        ILOpCode.Shr_un => a >>> b,
        ILOpCode.Add_ovf => checked(a + b),
        ILOpCode.Sub_ovf => checked(a - b),
        ILOpCode.Mul_ovf => checked(a * b),
        ILOpCode.Add_ovf_un => (int)checked((uint)a + (uint)b),
        ILOpCode.Sub_ovf_un => (int)checked((uint)a - (uint)b),
        ILOpCode.Mul_ovf_un => (int)checked((uint)a * (uint)b),
        _ => throw Unknown(code),
    };

    private static long Wide(ILOpCode code, long a, long b) => code switch
    {
        ILOpCode.Add => unchecked(a + b),
        ILOpCode.Sub => unchecked(a - b),
        ILOpCode.Mul => unchecked(a * b),
        ILOpCode.Div => a / b,
        ILOpCode.Rem => a % b,
        ILOpCode.Div_un => (long)((ulong)a / (ulong)b),
        ILOpCode.Rem_un => (long)((ulong)a % (ulong)b),
        ILOpCode.And => a & b,
        ILOpCode.Or => a | b,
        ILOpCode.Xor => a ^ b,
        ILOpCode.Shl => a << (int)b,
        ILOpCode.Shr => a >> (int)b,
        ILOpCode.Shr_un => a >>> (int)b,
        ILOpCode.Add_ovf => checked(a + b),
        ILOpCode.Sub_ovf => checked(a - b),
        ILOpCode.Mul_ovf => checked(a * b),
        ILOpCode.Add_ovf_un => (long)checked((ulong)a + (ulong)b),
        ILOpCode.Sub_ovf_un => (long)checked((ulong)a - (ulong)b),
        ILOpCode.Mul_ovf_un => (long)checked((ulong)a * (ulong)b),
        _ => throw Unknown(code),
    };

    private static InterpreterException Unknown(ILOpCode code) => new($"the instruction {code} on such numbers");
}
