using System.Buffers.Binary;
using System.Reflection;
using System.Reflection.Metadata;
using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Il;

/// <summary>A pointer into what stackalloc gave: written and read number by number, then laid under a span.</summary>
internal sealed class StackPointer : Location
{
    private readonly byte[] _bytes;
    private readonly long _offset;

    /// <summary>New memory.</summary>
    /// <param name="size">Bytes.</param>
    public StackPointer(int size)
        : this(new byte[size], 0)
    {
    }

    private StackPointer(byte[] bytes, long offset) => (_bytes, _offset) = (bytes, offset);

    public override Type Type => typeof(byte);

    /// <summary>So many bytes further on.</summary>
    public StackPointer Add(long bytes) => new(_bytes, _offset + bytes);

    /// <summary>The numbers from here on.</summary>
    public SpanValue ToSpan(Type elementType, int length)
    {
        var array = Array.CreateInstance(elementType, length);
        if (length > 0)
        {
            var bytes = length * Marshal.SizeOf(elementType);
            At(bytes).CopyTo(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(array), bytes));
        }

        return SpanValue.Of(array, elementType);
    }

    /// <summary>What an instruction such as <c>ldind.i8</c> reads.</summary>
    public StackValue Read(ILOpCode code) => code switch
    {
        ILOpCode.Ldind_i1 => StackValue.Of((int)(sbyte)At(1)[0]),
        ILOpCode.Ldind_u1 => StackValue.Of((int)At(1)[0]),
        ILOpCode.Ldind_i2 => StackValue.Of((int)BinaryPrimitives.ReadInt16LittleEndian(At(2))),
        ILOpCode.Ldind_u2 => StackValue.Of((int)BinaryPrimitives.ReadUInt16LittleEndian(At(2))),
        ILOpCode.Ldind_i4 or ILOpCode.Ldind_u4 => StackValue.Of(BinaryPrimitives.ReadInt32LittleEndian(At(4))),
        ILOpCode.Ldind_i8 => StackValue.Of(BinaryPrimitives.ReadInt64LittleEndian(At(8))),
        ILOpCode.Ldind_r4 => StackValue.Of(BinaryPrimitives.ReadSingleLittleEndian(At(4))),
        ILOpCode.Ldind_r8 => StackValue.Of(BinaryPrimitives.ReadDoubleLittleEndian(At(8))),
        _ => throw Unknown(code),
    };

    /// <summary>What an instruction such as <c>stind.i8</c> writes.</summary>
    public void Write(ILOpCode code, StackValue value)
    {
        switch (code)
        {
            case ILOpCode.Stind_i1:
                At(1)[0] = (byte)value.Int64;
                break;
            case ILOpCode.Stind_i2:
                BinaryPrimitives.WriteInt16LittleEndian(At(2), (short)value.Int64);
                break;
            case ILOpCode.Stind_i4:
                BinaryPrimitives.WriteInt32LittleEndian(At(4), (int)value.Int64);
                break;
            case ILOpCode.Stind_i8:
                BinaryPrimitives.WriteInt64LittleEndian(At(8), value.Int64);
                break;
            case ILOpCode.Stind_r4:
                BinaryPrimitives.WriteSingleLittleEndian(At(4), (float)value.Double);
                break;
            case ILOpCode.Stind_r8:
                BinaryPrimitives.WriteDoubleLittleEndian(At(8), value.Double);
                break;
            default:
                throw Unknown(code);
        }
    }

    public override StackValue Load() => throw new InterpreterException("memory that is reached through a pointer");

    public override void Store(StackValue value) => throw new InterpreterException("memory that is reached through a pointer");

    private static InterpreterException Unknown(ILOpCode code) => new($"the instruction {code} on memory that is reached through a pointer");

    private Span<byte> At(int count) => _offset >= 0 && _offset + count <= _bytes.Length
        ? _bytes.AsSpan((int)_offset, count)
        : throw new InterpreterException("memory outside of what stackalloc gave");
}

/// <summary>What ldftn gives: the method that a delegate is made of.</summary>
internal sealed record FunctionPointer(MethodBase Method);
