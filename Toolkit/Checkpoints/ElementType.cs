using TorchSharp;

namespace Toolkit.Checkpoints;

/// <summary>One element type of the safetensors format: its name there, its size in bytes, and what TorchSharp calls it.</summary>
internal sealed record ElementType(string Name, int Size, torch.ScalarType? ScalarType)
{
    // In the order in which Hugging Face's library lays tensors out: the widest first, so that all of them are aligned.
    private static readonly ElementType[] All =
    [
        new("U64", 8, null),
        new("I64", 8, torch.ScalarType.Int64),
        new("F64", 8, torch.ScalarType.Float64),
        new("C64", 8, torch.ScalarType.ComplexFloat32),
        new("F32", 4, torch.ScalarType.Float32),
        new("U32", 4, null),
        new("I32", 4, torch.ScalarType.Int32),
        new("BF16", 2, torch.ScalarType.BFloat16),
        new("F16", 2, torch.ScalarType.Float16),
        new("U16", 2, null),
        new("I16", 2, torch.ScalarType.Int16),
        new("F8_E8M0", 1, null),
        new("F8_E4M3", 1, null),
        new("F8_E5M2", 1, null),
        new("I8", 1, torch.ScalarType.Int8),
        new("U8", 1, torch.ScalarType.Byte),
        new("BOOL", 1, torch.ScalarType.Bool),
    ];

    private static readonly Dictionary<string, ElementType> ByName = All.ToDictionary(type => type.Name);
    private static readonly Dictionary<torch.ScalarType, ElementType> ByScalarType =
        All.Where(type => type.ScalarType is not null).ToDictionary(type => type.ScalarType!.Value);

    /// <summary>Where tensors of this type come in a file; lower is earlier.</summary>
    public int Rank => Array.IndexOf(All, this);

    public static ElementType? Find(string name) => ByName.GetValueOrDefault(name);

    public static ElementType? Find(torch.ScalarType type) => ByScalarType.GetValueOrDefault(type);
}
