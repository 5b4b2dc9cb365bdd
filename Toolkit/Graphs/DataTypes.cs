using System.Collections.Frozen;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Names and sizes of the types that a graph's tensors may have.</summary>
internal static class DataTypes
{
    private static readonly FrozenDictionary<ScalarType, (string Name, int Size)> _all = new Dictionary<ScalarType, (string, int)>
    {
        [ScalarType.Float32] = ("f32", 4),
        [ScalarType.Float64] = ("f64", 8),
        [ScalarType.Float16] = ("f16", 2),
        [ScalarType.BFloat16] = ("bf16", 2),
        [ScalarType.Int64] = ("i64", 8),
        [ScalarType.Int32] = ("i32", 4),
        [ScalarType.Int16] = ("i16", 2),
        [ScalarType.Int8] = ("i8", 1),
        [ScalarType.Byte] = ("u8", 1),
        [ScalarType.Bool] = ("bool", 1),
        [ScalarType.ComplexFloat32] = ("c64", 8),
        [ScalarType.ComplexFloat64] = ("c128", 16),
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<string, ScalarType> _byName = _all.ToFrozenDictionary(entry => entry.Value.Name, entry => entry.Key);

    /// <summary>As in <c>bf16</c>.</summary>
    public static string Name(ScalarType type) => _all[type].Name;

    /// <summary>Bytes of a value.</summary>
    public static int Size(ScalarType type) => _all[type].Size;

    /// <summary>The type of that number in libtorch; null where graphs do not know it.</summary>
    public static ScalarType? Find(int number) => _all.ContainsKey((ScalarType)number) ? (ScalarType)number : null;

    /// <summary>The type of that name; null where there is none.</summary>
    public static ScalarType? Find(string name) => _byName.TryGetValue(name, out var type) ? type : null;
}
