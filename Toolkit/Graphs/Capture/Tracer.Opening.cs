using System.Reflection;
using Toolkit.Graphs.Dispatch;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>Modules of native code, opened by libtorch's dispatcher where that can be reached.</content>
internal sealed partial class Tracer
{
    private readonly Dictionary<nn.Module, NativeParameters> _natives = new(ReferenceEqualityComparer.Instance);

    /// <summary>The modules whose calls stay calls: what they hold is no input of the graph.</summary>
    public IReadOnlyCollection<NativeParameters> Natives => _natives.Values;

    /// <summary>A module that stays a call.</summary>
    public void NoteNative(nn.Module module)
    {
        if (!_natives.ContainsKey(module))
        {
            _natives[module] = new(module);
        }
    }

    /// <summary>A tensor that a module of native code holds: an input, read from the module at each call.</summary>
    public Value NativeParameter(nn.Module module, NativeParameters held, string path)
    {
        // Where the module has a getter of that name, one that was replaced is read too.
        if (module.GetType().GetProperty(path, BindingFlags.Instance | BindingFlags.Public)?.GetMethod is { } getter && typeof(Tensor).IsAssignableFrom(getter.ReturnType))
        {
            return Parameter(module, getter);
        }

        var tensor = held.All.First(entry => entry.Path == path).Tensor;
        WatchTensor(AccessPath.Object(tensor), tensor, GraphInputKind.Parameter);
        return _tensors.Find(tensor)!;
    }

    /// <summary>Adds a guard.</summary>
    public void Require(Guard guard) => _guards.Add(guard);

    /// <summary>
    /// Whether a call is to be opened: only native code knows what it does, and no gradients are recorded. (Where they are, the joint graph opens it: operations below autograd would lose them.)
    /// </summary>
    private bool CanOpen(LeafCall call) => !IsGradEnabled && (call.Self is nn.Module ? !LoweringTable.HasSpecial(call.Method) : call.IsOfTorchSharp && !call.IsInPlace && !Array.Exists(call.Arguments, argument => argument is nint or nint[]) && !LoweringTable.Knows(call));
}
