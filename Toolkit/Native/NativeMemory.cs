using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Toolkit.Native;

/// <summary>Memory outside of the garbage collector's sight: that of tensors on the CPU.</summary>
public static class NativeMemory
{
    private static bool _hasStatistics = OperatingSystem.IsLinux();

    /// <summary>
    /// Bytes that the process's native allocator has handed out and not got back, over all of its arenas. Where the C library does not tell
    /// (not glibc 2.33 or newer), the private memory of the process.
    /// </summary>
    public static long AllocatedBytes()
    {
        if (_hasStatistics)
        {
            try
            {
                var statistics = mallinfo2();
                return (long)(statistics.InUse + statistics.Mapped);
            }
            catch (EntryPointNotFoundException)
            {
                _hasStatistics = false;
            }
        }

        using var process = Process.GetCurrentProcess();
        return process.PrivateMemorySize64;
    }

    [DllImport("libc")]
    private static extern Statistics mallinfo2();

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Statistics
    {
        private readonly nuint _arena, _freeChunks, _fastChunks, _mappedRegions;
        public readonly nuint Mapped;
        private readonly nuint _unused, _fastFree;
        public readonly nuint InUse;
        private readonly nuint _free, _trimmable;
    }
}
