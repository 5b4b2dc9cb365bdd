using System.Reflection;
using System.Runtime.CompilerServices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Finds out whether an embedding shortens long vectors, which TorchSharp keeps to itself: it is given a table of one long vector for a moment.</summary>
internal static class EmbeddingProbe
{
    private static readonly ConditionalWeakTable<Embedding, object> _known = [];
    private static readonly MethodInfo? _setWeight = typeof(Embedding).Assembly.GetType("TorchSharp.PInvoke.NativeMethods")?.GetMethod("THSNN_Embedding_set_weight", BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public);
    private static readonly FieldInfo? _handle = typeof(nn.Module).GetField("handle", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public);

    private static readonly Scalar _long = 1e10f.ToScalar();

    /// <summary>Whether it does, or cannot be asked.</summary>
    public static bool Renormalises(Embedding module) => (bool)_known.GetValue(module, key => Ask(key));

    private static bool Ask(Embedding module)
    {
        if (_setWeight is null || _handle?.GetValue(module) is not { } handle || module.weight is not { } weight)
        {
            return true;
        }

        using var scope = NewDisposeScope();
        using var still = no_grad();
        var probe = full([1, weight.shape[1]], _long, weight.dtype, weight.device);
        _setWeight.Invoke(null, [handle, probe.Handle]);
        try
        {
            return !module.forward(zeros(1, ScalarType.Int64, weight.device)).eq(_long).all().item<bool>();
        }
        finally
        {
            _setWeight.Invoke(null, [handle, weight.Handle]);
        }
    }
}
