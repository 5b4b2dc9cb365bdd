using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>Whether two handles are one tensor, and whether two tensors lie in the same memory.</summary>
internal static partial class TensorMemory
{
    /// <summary>The tensor behind a handle.</summary>
    public static nint Identity(Tensor tensor)
    {
        var identity = Marshal.ReadIntPtr(tensor.Handle);
        GC.KeepAlive(tensor);
        return identity;
    }

    /// <summary>Whether two handles are of one tensor.</summary>
    public static bool AreOne(Tensor a, Tensor b) => ReferenceEquals(a, b) || (!a.IsInvalid && !b.IsInvalid && Identity(a) == Identity(b));

    /// <summary>Whether a change of one tensor may be a change of another.</summary>
    public static bool AreShared(Tensor a, Tensor b) => AreOne(a, b) || (!a.IsInvalid && !b.IsInvalid && Start(a) is var start and not 0 && start == Start(b));

    /// <summary>Where the memory begins that a tensor is a view of; 0 where it has none that can be asked for.</summary>
    public static nint Start(Tensor tensor)
    {
        if (tensor.is_sparse || tensor.numel() == 0)
        {
            return 0;
        }

        var failed = aoti_torch_get_data_ptr(tensor.Handle, out var address) != 0 | aoti_torch_get_storage_offset(tensor.Handle, out var offset) != 0;
        var size = tensor.ElementSize;
        GC.KeepAlive(tensor);
        return failed ? 0 : address - (nint)(offset * size);
    }

    /// <summary>Gives a tensor the values of another, both in one piece and of one type; nobody counts it as a change.</summary>
    public static unsafe void Overwrite(Tensor tensor, Tensor values)
    {
        if (tensor.numel() > 0 && aoti_torch_get_data_ptr(tensor.Handle, out var target) == 0 && aoti_torch_get_data_ptr(values.Handle, out var source) == 0)
        {
            var bytes = tensor.numel() * tensor.ElementSize;
            Buffer.MemoryCopy((void*)source, (void*)target, bytes, bytes);
        }

        GC.KeepAlive(tensor);
        GC.KeepAlive(values);
    }

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_get_data_ptr(nint tensor, out nint address);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_get_storage_offset(nint tensor, out long offset);
}
