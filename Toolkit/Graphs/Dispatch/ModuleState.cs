using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>What a trial run of a module may change, to be put back: buffers, and the generator of random numbers.</summary>
internal sealed class ModuleState : IDisposable
{
    private readonly List<(Tensor Buffer, Tensor Copy)> _buffers = [];
    private readonly Tensor _generator = get_rng_state().DetachFromDisposeScope();

    /// <summary>Remembers the state.</summary>
    public ModuleState(IEnumerable<Tensor> buffers)
    {
        using var still = no_grad();
        foreach (var buffer in buffers)
        {
            _buffers.Add((buffer, buffer.clone().DetachFromDisposeScope()));
        }
    }

    /// <summary>Puts it back.</summary>
    public void Restore()
    {
        using var still = no_grad();
        foreach (var (buffer, copy) in _buffers)
        {
            buffer.copy_(copy);
        }

        set_rng_state(_generator);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, copy) in _buffers)
        {
            copy.Dispose();
        }

        _generator.Dispose();
    }
}
