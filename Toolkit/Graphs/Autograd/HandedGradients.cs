using System.Runtime.InteropServices;
using Toolkit.Graphs.Dispatch;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>
/// Gradients that autograd may keep as they are. It copies one that somebody else holds, and a custom function of TorchSharp must hold what it returned until it is called again. libtorch has a
/// table of tensors whose one extra reference does not count (made for CUDA graphs); where it is not exported, gradients are copied.
/// </summary>
internal static unsafe class HandedGradients
{
    private static readonly delegate* unmanaged<nint, void> _add;
    private static readonly delegate* unmanaged<nint, void> _remove;

    static HandedGradients()
    {
        if (NativeLibrary.TryLoad("torch_cpu", typeof(HandedGradients).Assembly, null, out var library)
            && NativeLibrary.TryGetExport(library, "_ZN2at7caching17add_cached_tensorERKNS_6TensorE", out var add)
            && NativeLibrary.TryGetExport(library, "_ZN2at7caching20remove_cached_tensorERKNS_6TensorE", out var remove)
            && NativeLibrary.TryGetExport(library, "_ZN2at7caching26set_cached_tensors_enabledEb", out var enable))
        {
            ((delegate* unmanaged<byte, void>)enable)(1);
            _add = (delegate* unmanaged<nint, void>)add;
            _remove = (delegate* unmanaged<nint, void>)remove;
        }
    }

    /// <summary>Lets autograd keep those that lie in memory of their own.</summary>
    /// <param name="returned">What goes to autograd.</param>
    /// <param name="others">What else is alive.</param>
    /// <returns>Those that it may keep, to be taken back later.</returns>
    public static List<Tensor> Add(IReadOnlyList<Tensor?> returned, IReadOnlyList<Tensor> others)
    {
        var own = new List<Tensor>();
        if (_add is null)
        {
            return own;
        }

        var starts = returned.Select(tensor => tensor is null ? 0 : TensorMemory.Start(tensor)).ToArray();
        var shared = starts.GroupBy(start => start).Where(group => group.Count() > 1).Select(group => group.Key)
            .Concat(others.Where(other => !other.IsInvalid).Select(TensorMemory.Start)).Append(0).ToHashSet();
        for (var i = 0; i < starts.Length; i++)
        {
            if (!shared.Contains(starts[i]))
            {
                _add(returned[i]!.Handle);
                own.Add(returned[i]!);
            }
        }

        return own;
    }

    /// <summary>Takes them back, before they are freed.</summary>
    public static void Remove(List<Tensor> tensors)
    {
        foreach (var tensor in tensors)
        {
            _remove(tensor.Handle);
        }

        tensors.Clear();
    }
}
