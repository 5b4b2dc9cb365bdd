using System.Buffers.Binary;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Il;

/// <summary>What stackalloc gives: bytes that are written through pointers until a span is laid over them.</summary>
internal sealed class StackMemory(int bytes)
{
    private readonly byte[] _bytes = new byte[bytes];

    /// <summary>The number at an offset.</summary>
    public StackValue Read(int offset, StorageKind kind)
    {
        var span = _bytes.AsSpan(offset);
        return kind switch
        {
            StorageKind.Boolean or StorageKind.Byte => StackValue.Of((int)span[0]),
            StorageKind.SByte => StackValue.Of((int)(sbyte)span[0]),
            StorageKind.Int16 => StackValue.Of((int)BinaryPrimitives.ReadInt16LittleEndian(span)),
            StorageKind.UInt16 or StorageKind.Char => StackValue.Of((int)BinaryPrimitives.ReadUInt16LittleEndian(span)),
            StorageKind.Int32 or StorageKind.UInt32 => StackValue.Of(BinaryPrimitives.ReadInt32LittleEndian(span)),
            StorageKind.Int64 or StorageKind.UInt64 => StackValue.Of(BinaryPrimitives.ReadInt64LittleEndian(span)),
            StorageKind.NativeInt or StorageKind.NativeUInt => StackValue.Native(BinaryPrimitives.ReadInt64LittleEndian(span)),
            StorageKind.Single => StackValue.Of(BinaryPrimitives.ReadSingleLittleEndian(span)),
            StorageKind.Double => StackValue.Of(BinaryPrimitives.ReadDoubleLittleEndian(span)),
            _ => throw new InterpreterException($"a {kind} in memory from stackalloc"),
        };
    }

    /// <summary>Puts a number at an offset.</summary>
    public void Write(int offset, StorageKind kind, StackValue value)
    {
        var span = _bytes.AsSpan(offset);
        switch (kind)
        {
            case StorageKind.Boolean or StorageKind.Byte or StorageKind.SByte:
                span[0] = unchecked((byte)value.Int64);
                break;
            case StorageKind.Int16 or StorageKind.UInt16 or StorageKind.Char:
                BinaryPrimitives.WriteInt16LittleEndian(span, unchecked((short)value.Int64));
                break;
            case StorageKind.Int32 or StorageKind.UInt32:
                BinaryPrimitives.WriteInt32LittleEndian(span, unchecked((int)value.Int64));
                break;
            case StorageKind.Int64 or StorageKind.UInt64 or StorageKind.NativeInt or StorageKind.NativeUInt:
                BinaryPrimitives.WriteInt64LittleEndian(span, value.Int64);
                break;
            case StorageKind.Single:
                BinaryPrimitives.WriteSingleLittleEndian(span, (float)value.Double);
                break;
            case StorageKind.Double:
                BinaryPrimitives.WriteDoubleLittleEndian(span, value.Double);
                break;
            default:
                throw new InterpreterException($"a {kind} in memory from stackalloc");
        }
    }

    /// <summary>A span over part of it. From here on the span's own array is the memory: pointers are not used once there is a span.</summary>
    public SpanValue ToSpan(Type elementType, int offset, int length)
    {
        var array = Array.CreateInstance(elementType, length);
        if (elementType.IsPrimitive)
        {
            _bytes.AsSpan(offset, Buffer.ByteLength(array)).CopyTo(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(array), Buffer.ByteLength(array)));
        }
        else if (_bytes.AsSpan().ContainsAnyExcept((byte)0))
        {
            throw new InterpreterException($"a {elementType.Name} in memory from stackalloc");
        }

        return SpanValue.Of(array, elementType);
    }
}

/// <summary>A place in memory from stackalloc.</summary>
internal sealed record StackPointer(StackMemory Memory, int Offset)
{
    /// <summary>The place so many bytes on.</summary>
    public StackPointer Plus(long bytes) => this with { Offset = checked((int)(Offset + bytes)) };
}

/// <summary>What ldftn gives: the method that a delegate is made of.</summary>
internal sealed record FunctionPointer(MethodBase Method);
