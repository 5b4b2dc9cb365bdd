namespace Toolkit.Evaluation;

/// <summary>Bytes by kind. Kinds that a run does not have are zero.</summary>
/// <param name="Weights">Parameters and buffers.</param>
/// <param name="Gradients">Gradients of the parameters.</param>
/// <param name="Optimizer">Optimizer state (two moments a parameter for AdamW).</param>
/// <param name="Activations">What the forward pass keeps for the backward pass, measured at the allocator.</param>
/// <param name="KeyValueCache">Keys and values of the tokens seen.</param>
public sealed record MemoryUse(long Weights, long Gradients = 0, long Optimizer = 0, long Activations = 0, long KeyValueCache = 0)
{
    /// <summary>The sum over all kinds, in bytes.</summary>
    public long Total => Weights + Gradients + Optimizer + Activations + KeyValueCache;
}
