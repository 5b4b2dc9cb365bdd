using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <summary>Instructions that convert a number.</summary>
internal static class Conversion
{
    public static StackValue Convert(ILOpCode code, StackValue value)
    {
        if (value.Kind is ValueKind.Address)
        {
            return value; // conv.u after localloc
        }

        if (!value.IsInteger && !value.IsReal)
        {
            throw new InterpreterException($"the instruction {code} on {value}");
        }

        unchecked
        {
            return code switch
            {
                ILOpCode.Conv_i1 => StackValue.Of((int)(sbyte)Truncated(value)),
                ILOpCode.Conv_u1 => StackValue.Of((int)(byte)Truncated(value)),
                ILOpCode.Conv_i2 => StackValue.Of((int)(short)Truncated(value)),
                ILOpCode.Conv_u2 => StackValue.Of((int)(ushort)Truncated(value)),
                ILOpCode.Conv_i4 => StackValue.Of(value.IsReal ? (int)value.Double : (int)value.Int64),
                ILOpCode.Conv_u4 => StackValue.Of(value.IsReal ? (int)(uint)value.Double : (int)value.Int64),
                ILOpCode.Conv_i8 => StackValue.Of(Truncated(value)),
                ILOpCode.Conv_u8 => StackValue.Of(Widened(value)),
                ILOpCode.Conv_i => StackValue.Native(Truncated(value)),
                ILOpCode.Conv_u => StackValue.Native(Widened(value)),
                ILOpCode.Conv_r4 => StackValue.Of(value.Kind == ValueKind.Single ? (float)value.Double : value.IsReal ? (float)value.Double : value.Int64),
                ILOpCode.Conv_r8 => StackValue.Of(value.IsReal ? value.Double : value.Int64),
                ILOpCode.Conv_r_un => StackValue.Of((double)(ulong)Widened(value)),
                _ => Checked(code, value),
            };
        }
    }

    private static StackValue Checked(ILOpCode code, StackValue value) => checked(code switch
    {
        ILOpCode.Conv_ovf_i1 => StackValue.Of((int)(value.IsReal ? (sbyte)value.Double : (sbyte)value.Int64)),
        ILOpCode.Conv_ovf_u1 => StackValue.Of((int)(value.IsReal ? (byte)value.Double : (byte)value.Int64)),
        ILOpCode.Conv_ovf_i2 => StackValue.Of((int)(value.IsReal ? (short)value.Double : (short)value.Int64)),
        ILOpCode.Conv_ovf_u2 => StackValue.Of((int)(value.IsReal ? (ushort)value.Double : (ushort)value.Int64)),
        ILOpCode.Conv_ovf_i4 => StackValue.Of(value.IsReal ? (int)value.Double : (int)value.Int64),
        ILOpCode.Conv_ovf_u4 => StackValue.Of(unchecked((int)(value.IsReal ? checked((uint)value.Double) : checked((uint)value.Int64)))),
        ILOpCode.Conv_ovf_i8 => StackValue.Of(value.IsReal ? (long)value.Double : value.Int64),
        ILOpCode.Conv_ovf_u8 => StackValue.Of(unchecked((long)(value.IsReal ? checked((ulong)value.Double) : checked((ulong)value.Int64)))),
        ILOpCode.Conv_ovf_i => StackValue.Native(value.IsReal ? (long)value.Double : value.Int64),
        ILOpCode.Conv_ovf_u => StackValue.Native(unchecked((long)(value.IsReal ? checked((ulong)value.Double) : checked((ulong)value.Int64)))),
        ILOpCode.Conv_ovf_i1_un => StackValue.Of((int)(sbyte)Bits(value)),
        ILOpCode.Conv_ovf_u1_un => StackValue.Of((int)(byte)Bits(value)),
        ILOpCode.Conv_ovf_i2_un => StackValue.Of((int)(short)Bits(value)),
        ILOpCode.Conv_ovf_u2_un => StackValue.Of((int)(ushort)Bits(value)),
        ILOpCode.Conv_ovf_i4_un => StackValue.Of((int)Bits(value)),
        ILOpCode.Conv_ovf_u4_un => StackValue.Of(unchecked((int)checked((uint)Bits(value)))),
        ILOpCode.Conv_ovf_i8_un => StackValue.Of((long)Bits(value)),
        ILOpCode.Conv_ovf_u8_un => StackValue.Of(unchecked((long)Bits(value))),
        ILOpCode.Conv_ovf_i_un => StackValue.Native((long)Bits(value)),
        ILOpCode.Conv_ovf_u_un => StackValue.Native(unchecked((long)Bits(value))),
        _ => throw new InterpreterException($"the instruction {code}"),
    });

    private static long Truncated(StackValue value) => value.IsReal ? (long)value.Double : value.Int64;

    /// <summary>As 64 bits without a sign: an int gets zeros.</summary>
    private static long Widened(StackValue value) => value.IsReal ? unchecked((long)(ulong)value.Double) : value.Kind == ValueKind.Int32 ? (uint)value.Int32 : value.Int64;

    private static ulong Bits(StackValue value) => unchecked((ulong)Widened(value));
}
