using System.Reflection.Emit;
using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <summary>Decodes instructions (ECMA-335, part III).</summary>
internal static class InstructionReader
{
    private static readonly Dictionary<ILOpCode, OperandType> _operands = typeof(OpCodes).GetFields()
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => (ILOpCode)(ushort)code.Value, code => code.OperandType);

    /// <summary>The instructions; jumps and switches hold offsets.</summary>
    public static Instruction[] Read(byte[] bytes)
    {
        var all = new List<Instruction>();
        unsafe
        {
            fixed (byte* start = bytes)
            {
                var reader = new BlobReader(start, bytes.Length);
                while (reader.RemainingBytes > 0)
                {
                    all.Add(ReadOne(ref reader));
                }
            }
        }

        return [.. all];
    }

    /// <summary>Whether it names the instruction that may come next.</summary>
    public static bool IsJump(ILOpCode code) => _operands[code] is OperandType.InlineBrTarget or OperandType.ShortInlineBrTarget;

    private static Instruction ReadOne(ref BlobReader reader)
    {
        var offset = reader.Offset;
        int first = reader.ReadByte();
        var code = (ILOpCode)(first == 0xFE ? 0xFE00 | reader.ReadByte() : first);
        switch (_operands[code])
        {
            case OperandType.InlineNone:
                return new(code, offset) { Integer = Implied(code) };
            case OperandType.ShortInlineI:
                return new(code, offset) { Integer = reader.ReadSByte() };
            case OperandType.ShortInlineVar:
                return new(code, offset) { Integer = reader.ReadByte() };
            case OperandType.InlineVar:
                return new(code, offset) { Integer = reader.ReadUInt16() };
            case OperandType.InlineI8:
                return new(code, offset) { Integer = reader.ReadInt64() };
            case OperandType.ShortInlineR:
                return new(code, offset) { Real = reader.ReadSingle() };
            case OperandType.InlineR:
                return new(code, offset) { Real = reader.ReadDouble() };
            case OperandType.ShortInlineBrTarget:
                var near = reader.ReadSByte();
                return new(code, offset) { Integer = reader.Offset + near };
            case OperandType.InlineBrTarget:
                var far = reader.ReadInt32();
                return new(code, offset) { Integer = reader.Offset + far };
            case OperandType.InlineSwitch:
                return ReadSwitch(ref reader, code, offset);
            default:
                return new(code, offset) { Integer = reader.ReadInt32() };
        }
    }

    private static Instruction ReadSwitch(ref BlobReader reader, ILOpCode code, int offset)
    {
        var count = reader.ReadInt32();
        var end = reader.Offset + (4 * count);
        var targets = new int[count];
        for (var i = 0; i < count; i++)
        {
            targets[i] = end + reader.ReadInt32();
        }

        return new(code, offset) { Targets = targets };
    }

    /// <summary>The number in the name of a short form, as in <c>ldloc.2</c>.</summary>
    private static long Implied(ILOpCode code) => code switch
    {
        >= ILOpCode.Ldarg_0 and <= ILOpCode.Ldarg_3 => code - ILOpCode.Ldarg_0,
        >= ILOpCode.Ldloc_0 and <= ILOpCode.Ldloc_3 => code - ILOpCode.Ldloc_0,
        >= ILOpCode.Stloc_0 and <= ILOpCode.Stloc_3 => code - ILOpCode.Stloc_0,
        ILOpCode.Ldc_i4_m1 => -1, // the codes have no sign: their difference would be 65535
        >= ILOpCode.Ldc_i4_0 and <= ILOpCode.Ldc_i4_8 => code - ILOpCode.Ldc_i4_0,
        _ => 0,
    };
}
