using Toolkit.Graphs.Dispatch;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Puts back what calls change: the generator of random numbers, and values of tensors.</summary>
internal sealed class KeptState : IDisposable
{
    private readonly Tensor? _generator;
    private readonly (Tensor Tensor, Tensor Values)[] _values;

    public KeptState(CaptureRecipe recipe)
    {
        using var still = no_grad();
        _generator = recipe.Graph.Nodes.Any(node => node.Operator.Kind == OperatorKind.Random) ? get_rng_state() : null;
        _values = [.. recipe.Changed.Select(tensor => (tensor, tensor.detach().clone()))];
    }

    public void Dispose()
    {
        if (_generator is not null)
        {
            set_rng_state(_generator);
        }

        // Behind the back of autograd, which takes statistics of a batch norm for unchanged: its backward pass may still be to come.
        foreach (var (tensor, values) in _values)
        {
            TensorMemory.Overwrite(tensor, values);
        }
    }
}
