using System.Collections.Concurrent;

namespace Toolkit.Graphs.Il;

/// <summary>How a value of a type is kept.</summary>
internal enum StorageKind
{
    Reference,
    Boolean,
    Char,
    SByte,
    Byte,
    Int16,
    UInt16,
    Int32,
    UInt32,
    Int64,
    UInt64,
    NativeInt,
    NativeUInt,
    Single,
    Double,

    /// <summary>A value type that is none of the above, in a box that nobody changes.</summary>
    Struct,

    /// <summary>A managed reference or a pointer.</summary>
    Address,
    Void,
}

/// <summary>The <see cref="StorageKind"/> of types.</summary>
internal static class Storage
{
    private static readonly ConcurrentDictionary<Type, StorageKind> _kinds = [];

    /// <summary>Of a type; of an enumeration, that of its numbers.</summary>
    public static StorageKind Of(Type type) => _kinds.GetOrAdd(type, Find);

    private static StorageKind Find(Type type)
    {
        if (type.IsByRef || type.IsPointer || type.IsFunctionPointer)
        {
            return StorageKind.Address;
        }

        if (!type.IsValueType)
        {
            return StorageKind.Reference;
        }

        if (type.IsEnum)
        {
            return Of(Enum.GetUnderlyingType(type));
        }

        if (type == typeof(void))
        {
            return StorageKind.Void;
        }

        return type == typeof(nint) ? StorageKind.NativeInt
            : type == typeof(nuint) ? StorageKind.NativeUInt
            : Enum.TryParse<StorageKind>(Type.GetTypeCode(type).ToString(), out var kind) && type.IsPrimitive ? kind
            : StorageKind.Struct;
    }
}
