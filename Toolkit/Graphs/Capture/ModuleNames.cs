using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>The names of modules and parameters, and which module's forward is running.</summary>
internal sealed class ModuleNames
{
    private readonly Dictionary<nn.Module, string> _paths = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<nint, string> _parameters = [];
    private readonly Stack<string> _running = [];

    /// <summary>The names under a module.</summary>
    public ModuleNames(nn.Module root)
    {
        _paths[root] = "";
        foreach (var (name, module) in root.named_modules())
        {
            _paths.TryAdd(module, name);
        }

        foreach (var (name, parameter) in root.named_parameters())
        {
            _parameters.TryAdd(Identity(parameter), name);
        }

        foreach (var (name, buffer) in root.named_buffers())
        {
            _parameters.TryAdd(Identity(buffer), name);
        }
    }

    /// <summary>The module whose forward is running.</summary>
    public string Current => _running.TryPeek(out var path) ? path : "";

    /// <summary>A call begins: of a module's forward, or of something else.</summary>
    public void Enter(nn.Module? module) => _running.Push(module is not null && _paths.TryGetValue(module, out var path) ? path : Current);

    /// <summary>A call ends.</summary>
    public void Leave() => _running.Pop();

    /// <summary>The name of a tensor that is reached by a path.</summary>
    public string NameOf(Tensor tensor, AccessPath path) => _parameters.TryGetValue(Identity(tensor), out var name) ? name : path.ToString();

    private static nint Identity(Tensor tensor) => tensor.IsInvalid ? 0 : Dispatch.TensorMemory.Identity(tensor);
}
