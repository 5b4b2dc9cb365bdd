using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>One call of a compiled module, from forward to backward.</summary>
internal sealed class TrainingCall(TrainingVariant variant, Tensor[] inputs)
{
    // For each place of the backward graph that reads what was kept, whether autograd would have freed it.
    private bool[] _freed = [];

    /// <summary>What runs.</summary>
    public TrainingVariant Variant { get; } = variant;

    /// <summary>What it is given; nothing once the forward pass is through, so that autograd alone decides how long tensors live.</summary>
    public Tensor[] Inputs { get; set; } = inputs;

    /// <summary>The outputs that have no gradients; none at the places of others.</summary>
    public Tensor?[] Others { get; set; } = [];

    /// <summary>Refuses a backward pass that comes after another that was the last, as autograd does.</summary>
    /// <param name="readers">For each place that reads what was kept, the outputs whose gradients lead there.</param>
    /// <param name="given">Whether an output has a gradient now.</param>
    /// <exception cref="ExternalException">It needs what that one freed.</exception>
    public void RequireSaved(IReadOnlyList<int[]> readers, bool[] given)
    {
        if (_freed.Where((isFreed, i) => isFreed && Array.Exists(readers[i], seed => given[seed])).Any())
        {
            throw new ExternalException(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). Saved intermediate values of the graph are freed when you "
                + "call .backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors after calling backward.");
        }
    }

    /// <summary>The last backward pass for some outputs is through: when that is so for all, what was kept is freed.</summary>
    public void Free(autograd.AutogradContext context, IReadOnlyList<int[]> readers, bool[] given)
    {
        if (_freed.Length > 0 && Array.TrueForAll(_freed, isFreed => isFreed))
        {
            return;
        }

        _freed = [.. readers.Select((seeds, i) => (i < _freed.Length && _freed[i]) || Array.Exists(seeds, seed => given[seed]))];
        if (_freed.Length > 0 && Array.TrueForAll(_freed, isFreed => isFreed))
        {
            context.Dispose();
        }
    }
}
