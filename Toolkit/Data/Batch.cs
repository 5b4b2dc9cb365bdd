using static TorchSharp.torch;

namespace Toolkit.Data;

/// <summary>Token ids and, for each, the id that follows it.</summary>
/// <param name="Inputs">(B, T) of int64.</param>
/// <param name="Targets">(B, T) of int64.</param>
public sealed record Batch(Tensor Inputs, Tensor Targets) : IDisposable
{
    /// <summary>Frees both tensors.</summary>
    public void Dispose()
    {
        Inputs.Dispose();
        Targets.Dispose();
    }
}
