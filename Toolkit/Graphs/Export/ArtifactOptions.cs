namespace Toolkit.Graphs;

/// <summary>How a compiled module is saved.</summary>
public sealed record ArtifactOptions
{
    /// <summary>
    /// Safetensors files that hold the module's weights already. A weight whose values are in one of them, under its own name or one that ends in it, is not copied:
    /// the artifact keeps the file's path (relative to itself where the file is in its folder or below) and checksum.
    /// </summary>
    public IReadOnlyList<string> WeightFiles { get; init; } = [];
}
