using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>libtorch's stable C interface, as far as compiled graphs call it.</summary>
internal static unsafe partial class LibTorchCalls
{
    /// <summary>Throws where a call failed.</summary>
    /// <exception cref="GraphException">It did.</exception>
    public static void Check(int status, string call)
    {
        if (status != 0)
        {
            throw new GraphException($"libtorch's {call} failed (its message is on the error stream)");
        }
    }

    /// <summary>A tensor over memory that is there; <see cref="Delete"/> frees it, not the memory.</summary>
    public static nint FromMemory(nint address, long offset, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, ScalarType type)
    {
        fixed (long* extents = sizes)
        fixed (long* steps = strides)
        {
            Check(aoti_torch_create_tensor_from_blob((void*)address, sizes.Length, extents, steps, offset, (int)type, 0, 0, out var handle), "create_tensor_from_blob");
            return handle;
        }
    }

    /// <summary>A new tensor on the CPU, row after row, with nothing in it.</summary>
    public static nint Empty(ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, ScalarType type)
    {
        fixed (long* extents = sizes)
        fixed (long* steps = strides)
        {
            Check(aoti_torch_empty_strided(sizes.Length, extents, steps, (int)type, 0, 0, out var handle), "empty_strided");
            return handle;
        }
    }

    /// <summary>A tensor that is none yet.</summary>
    public static nint Undefined()
    {
        Check(aoti_torch_new_uninitialized_tensor(out var handle), "new_uninitialized_tensor");
        return handle;
    }

    /// <summary>Address of a tensor's first value.</summary>
    public static nint Address(nint tensor)
    {
        Check(aoti_torch_get_data_ptr(tensor, out var address), "get_data_ptr");
        return address;
    }

    /// <summary>Whether a tensor's strides are these.</summary>
    public static bool HasStrides(nint tensor, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides)
    {
        Check(aoti_torch_get_strides(tensor, out var own), "get_strides");
        for (var i = 0; i < strides.Length; i++)
        {
            if (sizes[i] > 1 && own[i] != strides[i])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether a tensor's extents are these and its values of that type.</summary>
    public static bool HasType(nint tensor, ReadOnlySpan<long> sizes, ScalarType type)
    {
        Check(aoti_torch_get_dtype(tensor, out var own), "get_dtype");
        Check(aoti_torch_get_dim(tensor, out var rank), "get_dim");
        Check(aoti_torch_get_sizes(tensor, out var extents), "get_sizes");
        Check(aoti_torch_get_device_type(tensor, out var device), "get_device_type");
        return own == (int)type && device == 0 && rank == sizes.Length && new ReadOnlySpan<long>(extents, (int)rank).SequenceEqual(sizes);
    }

    /// <summary>Frees a tensor made here.</summary>
    public static void Delete(nint tensor) => Check(aoti_torch_delete_tensor_object(tensor), "delete_tensor_object");

    /// <summary><c>output = a·b</c>.</summary>
    public static void Multiply(nint output, nint a, nint b) => Check(aoti_torch_cpu_mm_out(output, a, b), "mm_out");

    /// <summary><c>output = a·b</c>, matrix for matrix.</summary>
    public static void MultiplyBatch(nint output, nint a, nint b) => Check(aoti_torch_cpu_bmm_out(output, a, b), "bmm_out");

    /// <summary><c>output = beta·self + alpha·a·b</c>.</summary>
    public static void MultiplyAdd(nint output, nint self, nint a, nint b, double beta, double alpha) => Check(aoti_torch_cpu_addmm_out(output, self, a, b, beta, alpha), "addmm_out");

    /// <summary>Calls a function with parts of [0, count) on libtorch's threads.</summary>
    public static void Parallel(long count, delegate* unmanaged<long, long, void*, void> body, void* context) => Check(torch_parallel_for(0, count, 1, body, context), "parallel_for");

    /// <summary>Number of libtorch's threads.</summary>
    public static int Threads()
    {
        Check(torch_get_num_threads(out var threads), "get_num_threads");
        return (int)threads;
    }

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_create_tensor_from_blob(
        void* data, long rank, long* sizes, long* strides, long offset, int type, int deviceType, int deviceIndex, out nint tensor);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_empty_strided(long rank, long* sizes, long* strides, int type, int deviceType, int deviceIndex, out nint tensor);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_new_uninitialized_tensor(out nint tensor);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_delete_tensor_object(nint tensor);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_get_data_ptr(nint tensor, out nint address);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_get_strides(nint tensor, out long* strides);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_get_sizes(nint tensor, out long* sizes);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_get_dim(nint tensor, out long rank);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_get_dtype(nint tensor, out int type);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_get_device_type(nint tensor, out int type);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_cpu_mm_out(nint output, nint a, nint b);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_cpu_bmm_out(nint output, nint a, nint b);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_cpu_addmm_out(nint output, nint self, nint a, nint b, double beta, double alpha);

    [LibraryImport("torch_cpu")]
    private static partial int torch_parallel_for(long begin, long end, long grain, delegate* unmanaged<long, long, void*, void> body, void* context);

    [LibraryImport("torch_cpu")]
    private static partial int torch_get_num_threads(out uint threads);
}
