using System.Runtime.InteropServices;
using System.Text;

namespace Toolkit.Native;

/// <summary>The NVIDIA driver of this machine, asked directly: it answers with or without a libtorch that can use it.</summary>
public static unsafe class CudaDriver
{
    private static readonly Lazy<(Version? Version, IReadOnlyList<CudaDevice> Devices, string? Problem)> _state = new(Examine);

    /// <summary>The newest CUDA version that the driver runs; null where there is no driver.</summary>
    public static Version? Version => _state.Value.Version;

    /// <summary>The GPUs that the driver shows to this process.</summary>
    public static IReadOnlyList<CudaDevice> Devices => _state.Value.Devices;

    /// <summary>Why there is no GPU to use, or null.</summary>
    public static string? Problem => _state.Value.Problem;

    private static (Version? Version, IReadOnlyList<CudaDevice> Devices, string? Problem) Examine()
    {
        var file = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(file, out var library))
        {
            return (null, [], $"no NVIDIA driver ({file} not found)");
        }

        var initialize = (delegate* unmanaged<uint, int>)NativeLibrary.GetExport(library, "cuInit");
        var getVersion = (delegate* unmanaged<int*, int>)NativeLibrary.GetExport(library, "cuDriverGetVersion");
        var getCount = (delegate* unmanaged<int*, int>)NativeLibrary.GetExport(library, "cuDeviceGetCount");
        var (version, count) = (0, 0);
        var status = getVersion(&version);
        var known = status == 0 ? new Version(version / 1000, version % 1000 / 10) : null;
        status = initialize(0);
        if (status != 0 || (status = getCount(&count)) != 0)
        {
            return (known, [], $"the NVIDIA driver answers with error {status}");
        }

        var devices = Enumerable.Range(0, count).Select(index => Describe(library, index)).ToArray();
        return (known, devices, count == 0 ? "the NVIDIA driver shows no GPU to this process" : null);
    }

    private static CudaDevice Describe(nint library, int index)
    {
        var getName = (delegate* unmanaged<byte*, int, int, int>)NativeLibrary.GetExport(library, "cuDeviceGetName");
        var getMemory = (delegate* unmanaged<nuint*, int, int>)NativeLibrary.GetExport(library, "cuDeviceTotalMem_v2");
        Span<byte> name = stackalloc byte[256];
        nuint bytes = 0;
        fixed (byte* start = name)
        {
            _ = getName(start, name.Length, index);
        }

        _ = getMemory(&bytes, index);
        return new CudaDevice(index, Encoding.UTF8.GetString(name[..Math.Max(0, name.IndexOf((byte)0))]), (long)bytes);
    }
}

/// <summary>One GPU.</summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Name">The maker's name of it.</param>
/// <param name="Bytes">Its memory.</param>
public sealed record CudaDevice(int Index, string Name, long Bytes);
