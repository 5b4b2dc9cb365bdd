namespace Toolkit.Graphs.Cpu;

/// <summary>A tensor of libtorch's over memory of ours, made anew when the memory is elsewhere.</summary>
internal sealed class TensorView(Layout layout) : IDisposable
{
    private nint _address;
    private nint _handle;

    /// <summary>Frees what was not disposed.</summary>
    ~TensorView() => Free();

    /// <summary>The tensor, with the memory at an address.</summary>
    public nint At(nint address)
    {
        if (_handle == 0 || address != _address)
        {
            Free();
            _handle = LibTorchCalls.FromMemory(address, layout.Offset, layout.Sizes, layout.Strides, layout.DType);
            _address = address;
        }

        return _handle;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_handle != 0)
        {
            LibTorchCalls.Delete(_handle);
            _handle = 0;
        }
    }
}
