using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>A file of named tensors, of whatever format.</summary>
internal interface ITensorFile : IDisposable
{
    /// <summary>What the file holds, by name.</summary>
    IReadOnlyDictionary<string, TensorEntry> Entries { get; }

    /// <summary>The tensor of that name, which belongs to the caller's dispose scope.</summary>
    Tensor Load(string name);
}
