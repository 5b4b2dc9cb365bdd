using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Toolkit.Native;

/// <summary>
/// Native libraries in NuGet's package cache. A build copies them beside the program; a notebook or script that gets Toolkit by
/// <c>#r "nuget:"</c>, and the installed command, find them where NuGet unpacked them.
/// </summary>
internal static class NativePackages
{
    private const string LibTorchVersionKey = "LibTorchVersion";

    /// <summary>The identifier that packages name this system by; the runtime's own may name a distribution.</summary>
    public static string Platform
    {
        get
        {
            var system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
            return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        }
    }

    /// <summary>Name of the package with the CPU's libtorch for this system.</summary>
    public static string LibTorchPackage => $"libtorch-cpu-{Platform}";

    /// <summary>Version of libtorch that this build of Toolkit belongs with.</summary>
    public static string LibTorchVersion { get; } = typeof(NativePackages).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .FirstOrDefault(entry => entry.Key == LibTorchVersionKey)?.Value
        ?? throw new InvalidOperationException($"This build of Toolkit lacks the assembly metadata {LibTorchVersionKey}.");

    /// <summary>The folders of the cache that hold this system's TorchSharp and libtorch; none where the cache has none.</summary>
    public static IEnumerable<string> Folders() => Folders(Caches());

    internal static IEnumerable<string> Folders(IEnumerable<string> caches)
    {
        var wrapper = typeof(torch).Assembly.GetName().Version?.ToString(3) ?? "";
        return
        [
            .. caches.SelectMany(cache => new[]
            {
                Path.Combine(cache, "torchsharp", wrapper, "runtimes", Platform, "native"),
                Path.Combine(cache, LibTorchPackage, LibTorchVersion, "runtimes", Platform, "native"),
            }).Where(Directory.Exists),
        ];
    }

    /// <summary>The caches, the one that TorchSharp itself came from first.</summary>
    private static IEnumerable<string> Caches()
    {
        // cache/torchsharp/version/lib/framework/TorchSharp.dll
        if (typeof(torch).Assembly.Location is { Length: > 0 } file && Path.GetFullPath(Path.Combine(file, "..", "..", "..", "..", "..")) is var own && Directory.Exists(Path.Combine(own, "torchsharp")))
        {
            yield return own;
        }

        if (Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } chosen)
        {
            yield return chosen;
        }

        if (Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) is { Length: > 0 } home)
        {
            yield return Path.Combine(home, ".nuget", "packages");
        }
    }
}
