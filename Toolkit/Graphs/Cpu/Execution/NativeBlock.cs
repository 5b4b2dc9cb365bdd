using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Cpu;

/// <summary>Pieces of native memory that are freed together, each on cache lines of its own and zero at first.</summary>
internal sealed unsafe class NativeBlock : IDisposable
{
    private readonly List<nint> _pieces = [];

    /// <summary>Frees what was not disposed.</summary>
    ~NativeBlock() => Free();

    /// <summary>A new piece.</summary>
    public nint Allocate(long bytes)
    {
        var piece = (nint)NativeMemory.AlignedAlloc((nuint)Math.Max(64, bytes), 64);
        NativeMemory.Clear((void*)piece, (nuint)Math.Max(64, bytes));
        _pieces.Add(piece);
        return piece;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        foreach (var piece in _pieces)
        {
            NativeMemory.AlignedFree((void*)piece);
        }

        _pieces.Clear();
    }
}
