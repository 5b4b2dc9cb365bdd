namespace Toolkit.Checkpoints;

/// <summary>The types that metadata values have in a file.</summary>
internal enum GgufValueType : uint
{
    Byte = 0,
    SByte = 1,
    UInt16 = 2,
    Int16 = 3,
    UInt32 = 4,
    Int32 = 5,
    Single = 6,
    Bool = 7,
    Text = 8,
    Array = 9,
    UInt64 = 10,
    Int64 = 11,
    Double = 12,
}

/// <summary>The same types in .NET.</summary>
internal static class GgufValueTypes
{
    private static readonly Dictionary<Type, GgufValueType> ByType = new()
    {
        [typeof(byte)] = GgufValueType.Byte,
        [typeof(sbyte)] = GgufValueType.SByte,
        [typeof(ushort)] = GgufValueType.UInt16,
        [typeof(short)] = GgufValueType.Int16,
        [typeof(uint)] = GgufValueType.UInt32,
        [typeof(int)] = GgufValueType.Int32,
        [typeof(float)] = GgufValueType.Single,
        [typeof(bool)] = GgufValueType.Bool,
        [typeof(string)] = GgufValueType.Text,
        [typeof(ulong)] = GgufValueType.UInt64,
        [typeof(long)] = GgufValueType.Int64,
        [typeof(double)] = GgufValueType.Double,
    };

    /// <summary>The type of a value, or null where the format has none.</summary>
    public static GgufValueType? Of(object? value) => value is Array ? GgufValueType.Array : value is not null && ByType.TryGetValue(value.GetType(), out var type) ? type : null;

    /// <summary>The type of an array's items, or null where the format has none.</summary>
    public static GgufValueType? OfItems(Array array) =>
        array is Array[]? GgufValueType.Array : ByType.TryGetValue(array.GetType().GetElementType()!, out var type) ? type : null;

    /// <summary>Whether the format has a type for a value and everything in it.</summary>
    public static bool IsKnown(object? value) => value switch
    {
        Array[] arrays => arrays.All(IsKnown),
        Array array => OfItems(array) is not null && (array is not string[] texts || texts.All(text => text is not null)),
        _ => Of(value) is not null,
    };
}
