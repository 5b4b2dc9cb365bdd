using System.Runtime.InteropServices;

namespace Toolkit.Native;

/// <summary>A library that exists only in memory (memfd_create, Linux): nothing on disk is written or changed.</summary>
internal static unsafe class MemoryFile
{
    private const uint CloseOnExec = 1;

    /// <summary>Loads the image of a library.</summary>
    /// <exception cref="IOException">The system gives no memory file.</exception>
    /// <exception cref="DllNotFoundException">The loader refuses the image.</exception>
    public static nint Load(string name, ReadOnlySpan<byte> image)
    {
        var file = memfd_create(name, CloseOnExec);
        if (file < 0)
        {
            throw new IOException($"memfd_create failed with error {Marshal.GetLastPInvokeError()}");
        }

        try
        {
            for (var rest = image; rest.Length > 0;)
            {
                fixed (byte* start = rest)
                {
                    var written = write(file, start, rest.Length);
                    rest = written > 0 ? rest[(int)written..] : throw new IOException($"writing {image.Length} bytes to a memory file failed with error {Marshal.GetLastPInvokeError()}");
                }
            }

            return NativeLibrary.Load($"/proc/self/fd/{file}");
        }
        finally
        {
            // The loader has mapped the file: the descriptor is no longer needed.
            _ = close(file);
        }
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int memfd_create([MarshalAs(UnmanagedType.LPUTF8Str)] string name, uint flags);

    [DllImport("libc", SetLastError = true)]
    private static extern nint write(int file, byte* data, nint length);

    [DllImport("libc", SetLastError = true)]
    private static extern int close(int file);
}
