namespace Toolkit.Graphs.Il;

/// <summary>What the evaluation stack tells apart.</summary>
internal enum ValueKind : byte
{
    /// <summary>An object or null; a boxed number is one too.</summary>
    Object,
    Int32,
    Int64,
    NativeInt,
    Single,
    Double,

    /// <summary>A value type, in a box that nobody changes; an empty Nullable is null.</summary>
    Struct,

    /// <summary>A managed reference: a <see cref="Location"/>, a <see cref="StackMemory"/>, a <see cref="FunctionPointer"/>.</summary>
    Address,
}
