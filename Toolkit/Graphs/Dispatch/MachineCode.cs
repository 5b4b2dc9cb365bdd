using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Dispatch;

/// <summary>Instructions of this machine (Linux on x64) in memory of their own, which stay for good: what they end in a jump to finds no frame of managed code between itself and its caller.</summary>
internal static unsafe class MachineCode
{
    private const int Size = 4096;
    private const int ReadWrite = 3;
    private const int ReadExecute = 5;
    private const int PrivateAnonymous = 0x22;

    /// <summary>Puts instructions where they can be run.</summary>
    /// <returns>Where they are; 0 where that cannot be.</returns>
    public static nint Place(ReadOnlySpan<byte> code)
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            return 0;
        }

        var place = mmap(0, Size, ReadWrite, PrivateAnonymous, -1, 0);
        if (place == -1)
        {
            return 0;
        }

        code.CopyTo(new Span<byte>((void*)place, Size));
        return mprotect(place, Size, ReadExecute) == 0 ? place : 0;
    }

    [DllImport("libc")]
    private static extern nint mmap(nint address, nint length, int protection, int flags, int file, nint offset);

    [DllImport("libc")]
    private static extern int mprotect(nint address, nint length, int protection);
}
