using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Dispatch;

/// <summary>Warnings that libtorch writes to the error stream.</summary>
internal static unsafe class Warnings
{
    private static readonly delegate* unmanaged<nint> _handler = (delegate* unmanaged<nint>)DispatcherSymbols.OfLibTorch("_ZN3c1012WarningUtils19get_warning_handlerEv");
    private static readonly delegate* unmanaged<nint, void> _setHandler = (delegate* unmanaged<nint, void>)DispatcherSymbols.OfLibTorch("_ZN3c1012WarningUtils19set_warning_handlerEPNS_14WarningHandlerE");
    private static readonly nint _silence = Silence();

    /// <summary>Keeps those of this thread back until the result is disposed of.</summary>
    public static IDisposable Off() => new Silent();

    /// <summary>A <c>c10::WarningHandler</c>: two destructors, which nobody calls, and what a warning is given to.</summary>
    private static nint Silence()
    {
        var nothing = (nint)(delegate* unmanaged<nint, nint, void>)&Ignore;
        var table = (nint*)NativeMemory.Alloc((nuint)(4 * sizeof(nint)));
        (table[0], table[1], table[2], table[3]) = ((nint)(table + 1), nothing, nothing, nothing);
        return (nint)table;
    }

    [UnmanagedCallersOnly]
    private static void Ignore(nint handler, nint warning)
    {
    }

    private sealed class Silent : IDisposable
    {
        private readonly nint _before;

        public Silent()
        {
            if (_handler is not null && _setHandler is not null)
            {
                _before = _handler();
                _setHandler(_silence);
            }
        }

        public void Dispose()
        {
            if (_before != 0)
            {
                _setHandler(_before);
            }
        }
    }
}
