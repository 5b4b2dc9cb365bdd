using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>
/// Runs C# loops over the memory of tensors on libtorch's own threads. Threads of another pool would compete with libgomp's, which keep
/// spinning after each operator.
/// </summary>
internal static unsafe class CpuKernel
{
    [ThreadStatic]
    private static bool _off;

    /// <summary>
    /// Whether this thread computes everything by its plain definition. Who records what libtorch is asked to do wants that: the loops here write memory that libtorch does not see written.
    /// </summary>
    public static bool IsOff
    {
        get => _off;
        set => _off = value;
    }

    /// <summary>Whether a kernel may read these: float32, in memory, row after row.</summary>
    public static bool Fits(params ReadOnlySpan<Tensor> tensors)
    {
        if (_off)
        {
            return false;
        }

        foreach (var tensor in tensors)
        {
            if (tensor.dtype != ScalarType.Float32 || tensor.device_type != DeviceType.CPU || !tensor.is_contiguous())
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Address of the first value. The caller keeps the tensor alive.</summary>
    public static float* Pointer(Tensor tensor)
    {
        Check(aoti_torch_get_data_ptr(tensor.Handle, out var pointer));
        return (float*)pointer;
    }

    /// <summary>Calls <paramref name="body"/> with parts of [0, count) of at least <paramref name="grain"/>; it must not throw.</summary>
    public static void Run(long count, long grain, delegate* unmanaged<long, long, void*, void> body, void* context) =>
        Check(torch_parallel_for(0, count, grain, body, context));

    /// <summary><c>output = a·b</c>, into memory that is there already.</summary>
    public static void Multiply(Tensor output, Tensor a, Tensor b)
    {
        Check(aoti_torch_cpu_mm_out(output.Handle, a.Handle, b.Handle));
        GC.KeepAlive(output);
        GC.KeepAlive(a);
        GC.KeepAlive(b);
    }

    /// <summary><c>output += a·b</c>.</summary>
    public static void MultiplyAdd(Tensor output, Tensor a, Tensor b)
    {
        Check(aoti_torch_cpu_addmm_out(output.Handle, output.Handle, a.Handle, b.Handle, 1, 1));
        GC.KeepAlive(output);
        GC.KeepAlive(a);
        GC.KeepAlive(b);
    }

    private static void Check(int status)
    {
        if (status != 0)
        {
            throw new InvalidOperationException($"a libtorch kernel failed with status {status}");
        }
    }

    [DllImport("torch_cpu")]
    private static extern int torch_parallel_for(long begin, long end, long grain, delegate* unmanaged<long, long, void*, void> body, void* context);

    [DllImport("torch_cpu")]
    private static extern int aoti_torch_get_data_ptr(nint tensor, out nint pointer);

    [DllImport("torch_cpu")]
    private static extern int aoti_torch_cpu_mm_out(nint output, nint a, nint b);

    [DllImport("torch_cpu")]
    private static extern int aoti_torch_cpu_addmm_out(nint output, nint self, nint a, nint b, double beta, double alpha);
}
