using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>
/// A file mapped privately into memory, and tensors over it. Every tensor's storage holds the mapping, so it goes when this object
/// is disposed and the last storage is freed, whichever comes last. Pages that are written become the process's own.
/// </summary>
internal sealed unsafe class FileMap : IDisposable
{
    private readonly Lock _lock = new();
    private readonly MemoryMappedViewAccessor _accessor;
    private readonly SafeMemoryMappedViewHandle _view;
    private readonly Deleter _release;
    private long _storages;
    private GCHandle _self;

    private FileMap(MemoryMappedViewAccessor accessor)
    {
        _accessor = accessor;
        _view = accessor.SafeMemoryMappedViewHandle;
        _release = Release;
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void Deleter(nint data);

    public static FileMap Open(SafeFileHandle file)
    {
        using var mapped = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.CopyOnWrite, HandleInheritability.None, leaveOpen: true);
        return new(mapped.CreateViewAccessor(0, 0, MemoryMappedFileAccess.CopyOnWrite));
    }

    /// <summary>A tensor over the bytes from <paramref name="offset"/>; a copy where they are not aligned to their element, or none.</summary>
    /// <exception cref="ObjectDisposedException">The map was disposed.</exception>
    public Tensor View(long offset, TensorEntry entry, ScalarType type)
    {
        ObjectDisposedException.ThrowIf(_view.IsClosed, this);
        InitializeDeviceType(DeviceType.CPU);
        if (entry.ByteCount == 0)
        {
            return empty(entry.Shape, type);
        }

        return offset % entry.Type.Size == 0 ? Borrow(offset, entry.Dimensions, type) : Copy(offset, entry, type);
    }

    /// <summary>Lets <paramref name="read"/> look at the bytes from <paramref name="offset"/>, which stay mapped until it returns.</summary>
    /// <exception cref="ObjectDisposedException">The map was disposed.</exception>
    public void Read(long offset, Action<nint> read)
    {
        ObjectDisposedException.ThrowIf(_view.IsClosed, this);
        var start = Acquire();
        try
        {
            read((nint)(start + offset));
        }
        finally
        {
            Release(0);
        }
    }

    public void Dispose() => _accessor.Dispose();

    private Tensor Borrow(long offset, ReadOnlySpan<long> shape, ScalarType type)
    {
        var start = Acquire();
        nint handle;
        fixed (long* sizes = shape)
        {
            handle = THSTensor_new((nint)(start + offset), _release, sizes, shape.Length, (sbyte)type, (sbyte)type, (int)DeviceType.CPU, -1, false);
        }

        if (handle == 0)
        {
            Release(0);
            CheckForErrors();
        }

        return Tensor.UnsafeCreateTensor(handle);
    }

    private Tensor Copy(long offset, TensorEntry entry, ScalarType type)
    {
        var copy = empty(entry.Shape, type);
        var start = Acquire();
        try
        {
            Buffer.MemoryCopy(start + offset, TensorData.Pointer(copy), entry.ByteCount, entry.ByteCount);
        }
        finally
        {
            Release(0);
        }

        GC.KeepAlive(copy);
        return copy;
    }

    private byte* Acquire()
    {
        lock (_lock)
        {
            byte* start = null;
            _view.AcquirePointer(ref start);
            if (_storages++ == 0)
            {
                // While native code holds the deleter, nothing managed need refer to this map.
                _self = GCHandle.Alloc(this);
            }

            return start + _accessor.PointerOffset;
        }
    }

    private void Release(nint data)
    {
        lock (_lock)
        {
            _view.ReleasePointer();
            if (--_storages == 0)
            {
                _self.Free();
            }
        }
    }

    [DllImport("LibTorchSharp")]
    private static extern nint THSTensor_new(
        nint data,
        Deleter deleter,
        long* sizes,
        int dimensions,
        sbyte storedType,
        sbyte type,
        int deviceType,
        int deviceIndex,
        [MarshalAs(UnmanagedType.U1)] bool requiresGradient);
}

/// <summary>The memory behind a dense tensor on the CPU.</summary>
internal static unsafe class TensorData
{
    /// <summary>Address of the first element; keep <paramref name="tensor"/> alive while it is used.</summary>
    public static byte* Pointer(Tensor tensor)
    {
        var pointer = THSTensor_data(tensor.Handle);
        CheckForErrors();
        return (byte*)pointer;
    }

    [DllImport("LibTorchSharp")]
    private static extern nint THSTensor_data(nint tensor);
}
