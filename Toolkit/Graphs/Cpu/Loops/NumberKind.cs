using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>What a kernel computes with. Types of tensors are converted to one of these when they are read and back when they are written.</summary>
internal enum NumberKind
{
    /// <summary>float: for float32, bfloat16 and float16.</summary>
    Float,

    /// <summary>double: for float64.</summary>
    Double,

    /// <summary>long: for all integers.</summary>
    Integer,

    /// <summary>bool, or a mask of lanes.</summary>
    Boolean,
}

/// <summary>Kinds of types, types of C#.</summary>
internal static class NumberKinds
{
    /// <summary>The kind that a type is computed in; null for complex numbers.</summary>
    public static NumberKind? Of(ScalarType type) => type switch
    {
        ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 => NumberKind.Float,
        ScalarType.Float64 => NumberKind.Double,
        ScalarType.Int64 or ScalarType.Int32 or ScalarType.Int16 or ScalarType.Int8 or ScalarType.Byte => NumberKind.Integer,
        ScalarType.Bool => NumberKind.Boolean,
        _ => null,
    };

    /// <summary>Whether there are vector instructions for values of that type.</summary>
    public static bool IsVector(ScalarType type) => type is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Bool;

    /// <summary>Type of a value in memory, in C#.</summary>
    public static string Memory(ScalarType type) => type switch
    {
        ScalarType.Float32 => "float",
        ScalarType.BFloat16 => "ushort",
        ScalarType.Float16 => "Half",
        ScalarType.Float64 => "double",
        ScalarType.Int64 => "long",
        ScalarType.Int32 => "int",
        ScalarType.Int16 => "short",
        ScalarType.Int8 => "sbyte",
        ScalarType.Byte => "byte",
        ScalarType.Bool => "bool",
        _ => throw new GraphException($"kernels do not compute with {type}"),
    };

    /// <summary>The kind in which two are compared.</summary>
    public static NumberKind Promote(NumberKind a, NumberKind b) =>
        a == b ? a
        : a == NumberKind.Double || b == NumberKind.Double ? NumberKind.Double
        : a == NumberKind.Float || b == NumberKind.Float ? NumberKind.Float
        : NumberKind.Integer;
}
