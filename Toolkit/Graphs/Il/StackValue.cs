using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <summary>A value on the evaluation stack, in a local or in an argument.</summary>
internal readonly struct StackValue
{
    private readonly long _bits;

    private StackValue(ValueKind kind, long bits, object? reference) => (Kind, _bits, Reference) = (kind, bits, reference);

    /// <summary>What it is.</summary>
    public ValueKind Kind { get; }

    /// <summary>The object, the boxed value or the address; null for numbers.</summary>
    public object? Reference { get; }

    /// <summary>Null.</summary>
    public static StackValue Null => default;

    public int Int32 => (int)_bits;

    /// <summary>As an integer, whatever it is.</summary>
    public long Int64 => Kind switch
    {
        ValueKind.Single or ValueKind.Double => (long)Double,
        _ => _bits,
    };

    /// <summary>As a real number, whatever it is.</summary>
    public double Double => Kind switch
    {
        ValueKind.Single => BitConverter.Int32BitsToSingle((int)_bits),
        ValueKind.Double => BitConverter.Int64BitsToDouble(_bits),
        _ => _bits,
    };

    public bool IsReal => Kind is ValueKind.Single or ValueKind.Double;

    public bool IsInteger => Kind is ValueKind.Int32 or ValueKind.Int64 or ValueKind.NativeInt;

    /// <summary>Whether a branch on it is taken.</summary>
    public bool IsTrue => Kind switch
    {
        ValueKind.Int32 => Int32 != 0,
        ValueKind.Int64 or ValueKind.NativeInt => _bits != 0,
        ValueKind.Single or ValueKind.Double => Double != 0,
        _ => Reference is not null,
    };

    public static StackValue Of(int value) => new(ValueKind.Int32, value, null);

    public static StackValue Of(bool value) => new(ValueKind.Int32, value ? 1 : 0, null);

    public static StackValue Of(long value) => new(ValueKind.Int64, value, null);

    public static StackValue Native(long value) => new(ValueKind.NativeInt, value, null);

    public static StackValue Of(float value) => new(ValueKind.Single, BitConverter.SingleToInt32Bits(value), null);

    public static StackValue Of(double value) => new(ValueKind.Double, BitConverter.DoubleToInt64Bits(value), null);

    public static StackValue Object(object? value) => new(ValueKind.Object, 0, value);

    public static StackValue Struct(object? value) => new(ValueKind.Struct, 0, value);

    public static StackValue Address(object? value) => new(ValueKind.Address, 0, value);

    /// <summary>An object of .NET as a value of a type: what was read from a field or an element, or returned by a call.</summary>
    public static StackValue From(object? value, Type type) => Storage.Of(type) switch
    {
        StorageKind.Reference => Object(value),
        StorageKind.Address => value is nint pointer ? Native(pointer) : Address(value),
        StorageKind.Void => default,
        StorageKind.Struct => Struct(value),
        StorageKind.Single => Of((float)value!),
        StorageKind.Double => Of((double)value!),
        StorageKind.Int64 => Of(Unboxed<long>(value)),
        StorageKind.UInt64 => Of((long)Unboxed<ulong>(value)),
        StorageKind.NativeInt => Native((nint)value!),
        StorageKind.NativeUInt => Native((long)(nuint)value!),
        StorageKind.Boolean => Of(Unboxed<bool>(value)),
        StorageKind.Char => Of((int)Unboxed<char>(value)),
        StorageKind.SByte => Of((int)Unboxed<sbyte>(value)),
        StorageKind.Byte => Of((int)Unboxed<byte>(value)),
        StorageKind.Int16 => Of((int)Unboxed<short>(value)),
        StorageKind.UInt16 => Of((int)Unboxed<ushort>(value)),
        StorageKind.UInt32 => Of((int)Unboxed<uint>(value)),
        _ => Of(Unboxed<int>(value)),
    };

    /// <summary>What a variable of a type holds before anything is stored in it.</summary>
    public static StackValue Default(Type type) => Storage.Of(type) switch
    {
        StorageKind.Reference => default,
        StorageKind.Address => Address(null),
        StorageKind.Single => Of(0f),
        StorageKind.Double => Of(0.0),
        StorageKind.Int64 or StorageKind.UInt64 => Of(0L),
        StorageKind.NativeInt or StorageKind.NativeUInt => Native(0),
        StorageKind.Struct => Struct(DefaultStruct(type)),
        _ => Of(0),
    };

    /// <summary>As a variable of a type keeps it: small integers lose their upper bits.</summary>
    public StackValue As(Type type)
    {
        switch (Storage.Of(type))
        {
            case StorageKind.Single:
                return Kind == ValueKind.Single ? this : Of((float)Double);
            case StorageKind.Double:
                return Kind == ValueKind.Double ? this : Of(Double);
            case StorageKind.Int64 or StorageKind.UInt64:
                return Kind == ValueKind.Int64 ? this : Of(_bits);
            case StorageKind.NativeInt or StorageKind.NativeUInt:
                return Reference is not null ? this : Native(_bits);
            case StorageKind.Reference:
                return Kind == ValueKind.Object ? this : Object(Reference);
            case StorageKind.Struct:
                return Kind == ValueKind.Struct ? this : Struct(Reference);
            case StorageKind.Boolean or StorageKind.Byte:
                return Of((int)(byte)_bits);
            case StorageKind.Char or StorageKind.UInt16:
                return Of((int)(ushort)_bits);
            case StorageKind.SByte:
                return Of((int)(sbyte)_bits);
            case StorageKind.Int16:
                return Of((int)(short)_bits);
            case StorageKind.Int32 or StorageKind.UInt32:
                return Kind == ValueKind.Int32 ? this : Of((int)_bits);
            default:
                return this;
        }
    }

    /// <summary>As an object of .NET of a type: to store in a field or an element, or to give to a call.</summary>
    public object? ToObject(Type type)
    {
        if (Kind is ValueKind.Object or ValueKind.Struct or ValueKind.Address)
        {
            return Reference;
        }

        if (type.IsEnum)
        {
            return Enum.ToObject(type, _bits);
        }

        return Storage.Of(type) switch
        {
            StorageKind.Boolean => (byte)_bits != 0,
            StorageKind.Char => (char)_bits,
            StorageKind.SByte => (sbyte)_bits,
            StorageKind.Byte => (byte)_bits,
            StorageKind.Int16 => (short)_bits,
            StorageKind.UInt16 => (ushort)_bits,
            StorageKind.UInt32 => (uint)_bits,
            StorageKind.Int64 => Int64,
            StorageKind.UInt64 => (ulong)Int64,
            StorageKind.Single => (float)Double,
            StorageKind.Double => Double,
            StorageKind.NativeInt => (nint)Int64,
            StorageKind.NativeUInt => (nuint)(ulong)Int64,
            StorageKind.Int32 => Int32,
            _ => throw new InterpreterException($"a number where {type} is expected"),
        };
    }

    public override string ToString() => Kind switch
    {
        ValueKind.Int32 or ValueKind.Int64 or ValueKind.NativeInt => $"{Kind} {_bits}",
        ValueKind.Single or ValueKind.Double => $"{Kind} {Double}",
        _ => $"{Kind} {Reference ?? "null"}",
    };

    private static object? DefaultStruct(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is not null)
        {
            return null;
        }

        if (SpanValue.IsSpan(type))
        {
            return new SpanValue(type.GetGenericArguments()[0]);
        }

        if (InlineArrayValue.IsInlineArray(type))
        {
            return new InlineArrayValue(type);
        }

        if (type == typeof(DefaultInterpolatedStringHandler))
        {
            return new InterpolatedText();
        }

        return type.IsByRefLike ? new RefStructValue(type) : RuntimeHelpers.GetUninitializedObject(type);
    }

    /// <summary>Enumerations come as themselves: the runtime unboxes them as their numbers.</summary>
    private static T Unboxed<T>(object? value)
        where T : struct => value is T same ? same : Unsafe.Unbox<T>(value ?? throw new NullReferenceException());
}
