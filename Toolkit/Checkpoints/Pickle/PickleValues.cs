namespace Toolkit.Checkpoints;

/// <summary>A name of Python's that a pickle asks for; only those that tensors need are known, and none is ever looked up or called.</summary>
internal sealed record PickleGlobal(string Module, string Name, PickleGlobalKind Kind, ElementType? Element)
{
    private static readonly Dictionary<(string, string), PickleGlobal> Known = new PickleGlobal[]
    {
        new("torch._utils", "_rebuild_tensor_v2", PickleGlobalKind.Tensor, null),
        new("torch._utils", "_rebuild_parameter", PickleGlobalKind.Parameter, null),
        new("collections", "OrderedDict", PickleGlobalKind.Dictionary, null),
        Storage("Float", "F32"), Storage("Double", "F64"), Storage("Half", "F16"), Storage("BFloat16", "BF16"), Storage("Long", "I64"), Storage("Int", "I32"),
        Storage("Short", "I16"), Storage("Char", "I8"), Storage("Byte", "U8"), Storage("Bool", "BOOL"), Storage("ComplexFloat", "C64"),
    }.ToDictionary(known => (known.Module, known.Name));

    public static PickleGlobal? Find(string module, string name) => Known.GetValueOrDefault((module, name));

    private static PickleGlobal Storage(string name, string element) => new("torch", name + "Storage", PickleGlobalKind.Storage, ElementType.Find(element));
}

/// <summary>What a known name is for.</summary>
internal enum PickleGlobalKind
{
    Tensor,
    Parameter,
    Dictionary,
    Storage,
}

/// <summary>Numbers one after the other, in an entry of the zip file.</summary>
internal sealed record PickleStorage(ElementType Element, string Key, long Count);

/// <summary>A tensor: a view of a storage.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);
