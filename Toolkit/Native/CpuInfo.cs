using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Toolkit.Native;

/// <summary>What the processor is and can do.</summary>
public static class CpuInfo
{
    /// <summary>Logical processors that this process may use.</summary>
    public static int Cores => Environment.ProcessorCount;

    /// <summary>The processor's name, or its architecture where the system does not tell.</summary>
    public static string Name { get; } = ReadName();

    /// <summary>The widest vector instructions that .NET will use here, with the extensions that matter to low-precision products.</summary>
    public static string SimdLevel { get; } = Describe();

    private static string Describe()
    {
        if (AdvSimd.IsSupported)
        {
            return Dp.IsSupported ? "NEON + dot product" : "NEON";
        }

        var level = Avx512F.IsSupported ? "AVX-512" : Avx2.IsSupported ? "AVX2" : Avx.IsSupported ? "AVX" : Sse2.IsSupported ? "SSE2" : "none";
        return string.Join(" + ", new[] { level, Fma.IsSupported ? "FMA" : "", AvxVnni.IsSupported ? "VNNI" : "" }.Where(part => part.Length > 0));
    }

    private static string ReadName()
    {
        const string Key = "model name";
        try
        {
            if (File.Exists("/proc/cpuinfo") && File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal)) is { } line)
            {
                return line[(line.IndexOf(':') + 1)..].Trim();
            }
        }
        catch (IOException)
        {
            // The architecture will do.
        }

        return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString();
    }
}
