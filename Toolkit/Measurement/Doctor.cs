using System.Globalization;
using System.Runtime.InteropServices;
using Toolkit.Native;
using TorchSharp;

namespace Toolkit.Measurement;

/// <summary>Examines the machine: versions, devices, instructions, measured rates, and what is missing.</summary>
public static class Doctor
{
    private const string HowToGetCuda =
        $"build with -p:TorchBackend=cuda, or install PyTorch with pip and set {LibTorch.FolderVariable} to its torch/lib folder";

    /// <summary>Examines this machine; takes about two seconds the first time. Never throws for what is missing.</summary>
    public static DoctorReport Examine()
    {
        var findings = new List<DoctorFinding>();
        var missing = new List<string>();
        findings.Add(new("Toolkit", typeof(Doctor).Assembly.GetName().Version?.ToString(3) ?? "unknown"));
        findings.Add(new(".NET", $"{Environment.Version} on {RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}"));
        findings.Add(new("Processor", $"{CpuInfo.Name}, {CpuInfo.Cores} logical cores"));
        findings.Add(new("SIMD", CpuInfo.SimdLevel));
        findings.Add(new("Memory", Gigabytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)));
        var ceiling = ExamineLibTorch(findings, missing);
        ExamineGpu(findings, missing);
        return new(findings, missing, ceiling);
    }

    private static MachineCeiling? ExamineLibTorch(List<DoctorFinding> findings, List<string> missing)
    {
        try
        {
            LibTorch.Load();
        }
        catch (LibTorchException problem)
        {
            findings.Add(new("libtorch", "does not load"));
            missing.Add($"libtorch: {problem.Message}");
            return null;
        }

        findings.Add(new("TorchSharp", typeof(torch).Assembly.GetName().Version?.ToString(3) ?? "unknown"));
        var mended = LibTorch.IsMended ? "; TorchSharp's library was mended in memory for this system's older C++ runtime" : "";
        findings.Add(new("libtorch", $"{LibTorch.Version ?? "of unknown version"} ({LibTorch.BackEnd}) from {LibTorch.Location}{mended}"));
        findings.Add(new("ATen recording", Graphs.Dispatch.DispatcherCapture.WhyNot is { } reason ? $"off: {reason}" : "on"));
        var ceiling = MachineCeilings.Measure();
        findings.Add(new("Threads", ceiling.Threads.ToString(CultureInfo.InvariantCulture)));
        findings.Add(new("Read bandwidth", string.Create(CultureInfo.InvariantCulture, $"{ceiling.ReadBytesPerSecond / 1e9:0.0} GB/s measured")));
        findings.Add(new("Matrix products", string.Create(CultureInfo.InvariantCulture, $"{ceiling.MatMulFlopsPerSecond / 1e9:0} GFLOP/s measured (float32)")));
        return ceiling;
    }

    private static void ExamineGpu(List<DoctorFinding> findings, List<string> missing)
    {
        foreach (var device in CudaDriver.Devices)
        {
            findings.Add(new($"GPU {device.Index}", $"{device.Name}, {Gigabytes(device.Bytes)}"));
        }

        if (CudaDriver.Version is { } version)
        {
            findings.Add(new("NVIDIA driver", $"runs CUDA up to {version.Major}.{version.Minor}"));
        }

        if (CudaDriver.Problem is { } problem)
        {
            findings.Add(new("GPU", "none"));
            missing.Add($"GPU: {problem}; everything runs on the CPU. To use an NVIDIA GPU, install its driver and {HowToGetCuda}.");
        }
        else if (!LibTorch.IsLoaded || LibTorch.BackEnd != "cuda")
        {
            missing.Add($"CUDA: there is a GPU, but libtorch is not one for CUDA; {HowToGetCuda}.");
        }
        else if (!torch.cuda.is_available())
        {
            missing.Add($"CUDA: libtorch was built for a CUDA that this driver (up to {CudaDriver.Version}) does not run: update the driver.");
        }
    }

    private static string Gigabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB");
}
