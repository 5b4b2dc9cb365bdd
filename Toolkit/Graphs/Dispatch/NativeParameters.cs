using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>The parameters that a module of native code holds (an LSTM, an Embedding): TorchSharp gives them by name, in a new handle each time.</summary>
internal sealed class NativeParameters
{
    private readonly nint[] _identities;

    /// <summary>Those that it holds now.</summary>
    public NativeParameters(nn.Module module)
    {
        Module = module;
        All = [.. Read(module).Select(entry => (entry.Path, entry.Tensor.DetachFromDisposeScope()))];
        _identities = [.. All.Select(entry => TensorMemory.Identity(entry.Tensor))];
    }

    /// <summary>The module.</summary>
    public nn.Module Module { get; }

    /// <summary>Parameters and buffers, with their names in it. What <c>to()</c> or an optimizer does to them shows here.</summary>
    public IReadOnlyList<(string Path, Tensor Tensor)> All { get; }

    /// <summary>Whether it still holds the same tensors: one that was replaced is another.</summary>
    public bool Holds()
    {
        using var scope = NewDisposeScope();
        var i = 0;
        foreach (var (_, tensor) in Read(Module))
        {
            if (i == _identities.Length || TensorMemory.Identity(tensor) != _identities[i++])
            {
                return false;
            }
        }

        return i == _identities.Length;
    }

    private static IEnumerable<(string Path, Tensor Tensor)> Read(nn.Module module) =>
        module.named_parameters().Select(entry => (entry.name, (Tensor)entry.parameter)).Concat(module.named_buffers().Select(entry => (entry.name, entry.buffer)));
}
