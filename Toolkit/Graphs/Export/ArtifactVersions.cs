using System.Reflection;
using Toolkit.Native;
using TorchSharp;

namespace Toolkit.Graphs;

/// <summary>What an artifact was made with.</summary>
/// <param name="Toolkit">Version of this library.</param>
/// <param name="TorchSharp">Of TorchSharp.</param>
/// <param name="LibTorch">Of libtorch.</param>
/// <param name="Runtime">Of .NET.</param>
/// <param name="Simd">Vector instructions of the processor.</param>
/// <param name="VectorWidth">Floats in the widest vector that is fast there.</param>
public sealed record ArtifactVersions(string Toolkit, string TorchSharp, string LibTorch, string Runtime, string Simd, int VectorWidth)
{
    /// <summary>Those of this process.</summary>
    internal static ArtifactVersions Current { get; } = new(
        VersionOf(typeof(Graph).Assembly), VersionOf(typeof(torch).Assembly), Native.LibTorch.Version ?? Native.LibTorch.PackageVersion, Environment.Version.ToString(), CpuInfo.SimdLevel,
        Cpu.KernelPrelude.Width);

    /// <summary>As in <c>Toolkit 0.1.0, TorchSharp 0.107.0, libtorch 2.10.0, .NET 10.0.1, AVX2 + FMA</c>.</summary>
    public override string ToString() => $"Toolkit {Toolkit}, TorchSharp {TorchSharp}, libtorch {LibTorch}, .NET {Runtime}, {Simd}";

    /// <summary>Why what was made with these cannot run with those; null where it can.</summary>
    internal string? Misfit(ArtifactVersions here) =>
        LibTorch.Split('.')[0] == here.LibTorch.Split('.')[0] ? null : $"it was saved with libtorch {LibTorch}, and libtorch {here.LibTorch} is loaded: save it again with this one";

    private static string VersionOf(Assembly assembly) =>
        assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? assembly.GetName().Version?.ToString() ?? "unknown";
}
