using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Cpu;

/// <summary>Large results are new memory at each call, and to be given it in pages of 4 KB takes longer than to compute them.</summary>
internal static partial class LargePages
{
    private const long Least = 8L << 20;
    private const long Page = 4096;
    private const int HugePages = 14; // MADV_HUGEPAGE

    /// <summary>Asks the system for large pages where memory has not been touched yet. It may refuse: nothing depends on it.</summary>
    public static void Want(nint address, long bytes)
    {
        if (bytes >= Least && OperatingSystem.IsLinux())
        {
            var first = (address + Page - 1) / Page * Page;
            _ = madvise((nint)first, (nuint)((address + bytes - first) / Page * Page), HugePages);
        }
    }

    [LibraryImport("libc")]
    private static partial int madvise(nint address, nuint length, int advice);
}
