using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Toolkit.Native;

/// <summary>
/// Loads libtorch and TorchSharp's native library, once a process, before TorchSharp looks for them itself. It happens when the first type
/// of Toolkit is touched; call <see cref="Load"/> to learn why it failed.
/// </summary>
/// <remarks>
/// Where libtorch comes from: the folder that the environment variable <see cref="FolderVariable"/> names (the <c>lib</c> folder of an installed
/// PyTorch, with CUDA libraries beside it), else what the build brought (property <c>TorchBackend</c>: cpu, cuda or none), else NuGet's package
/// cache.
/// On systems whose C++ runtime is older than TorchSharp's library asks for (Debian 12, Ubuntu 22.04) a copy in memory, in which that one
/// requirement is optional, is loaded instead; the symbol behind it is never called.
/// </remarks>
public static class LibTorch
{
    /// <summary>Environment variable that names a folder with libtorch to use instead of the one of the build.</summary>
    public const string FolderVariable = "TOOLKIT_LIBTORCH";

    private const string UnmetVersion = "GLIBCXX_3.4.32";
    private static readonly Lock _lock = new();
    private static nint _torchCpu;
    private static nint _torchSharp;
    private static LibTorchException? _failure;

    /// <summary>The NuGet package that brings libtorch for this system's CPU; it is found in the package cache too.</summary>
    public static string PackageId => NativePackages.LibTorchPackage;

    /// <summary>The version of <see cref="PackageId"/> that belongs with this Toolkit.</summary>
    public static string PackageVersion => NativePackages.LibTorchVersion;

    /// <summary>Whether libtorch is loaded and usable.</summary>
    public static bool IsLoaded { get; private set; }

    /// <summary>Folder that libtorch was loaded from; null before it is loaded.</summary>
    public static string? Location { get; private set; }

    /// <summary>cuda where the loaded libtorch has CUDA kernels, else cpu; null before it is loaded.</summary>
    public static string? BackEnd { get; private set; }

    /// <summary>Whether TorchSharp's library had to be mended in memory to load on this system.</summary>
    public static bool IsMended { get; private set; }

    /// <summary>Version of the loaded libtorch, such as 2.10.0; null before it is loaded, or where it is too old to tell.</summary>
    public static unsafe string? Version
    {
        get
        {
            if (_torchCpu == 0 || !NativeLibrary.TryGetExport(_torchCpu, "aoti_torch_abi_version", out var function))
            {
                return null;
            }

            var number = ((delegate* unmanaged<ulong>)function)();
            return $"{number >> 56}.{(number >> 48) & 0xFF}.{(number >> 40) & 0xFF}";
        }
    }

    /// <summary>Loads libtorch if that has not happened yet.</summary>
    /// <exception cref="LibTorchException">It cannot be loaded.</exception>
    public static void Load()
    {
        lock (_lock)
        {
            if (!IsLoaded && _failure is null)
            {
                try
                {
                    LoadAll();
                    IsLoaded = true;
                }
                catch (LibTorchException failure)
                {
                    _failure = failure;
                }
            }
        }

        if (_failure is not null)
        {
            throw new LibTorchException(_failure.Message, _failure);
        }
    }

    /// <summary>Address of a symbol of libtorch or of a library that it needs; 0 where there is none, or no libtorch.</summary>
    internal static nint FindExport(string symbol) => _torchCpu != 0 && NativeLibrary.TryGetExport(_torchCpu, symbol, out var address) ? address : 0;

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "TorchSharp's own attempt to load would fail, and print, on systems that this mends.")]
    internal static void Initialize()
    {
        NativeLibrary.SetDllImportResolver(typeof(LibTorch).Assembly, Resolve);
        try
        {
            Load();
        }
        catch (LibTorchException)
        {
            // Text and files work without libtorch; whatever needs it calls Load and so tells why it is not there.
        }
    }

    private static nint Resolve(string library, Assembly assembly, DllImportSearchPath? path)
    {
        if (library is not ("torch_cpu" or "LibTorchSharp"))
        {
            return 0;
        }

        Load();
        return library == "torch_cpu" ? _torchCpu : _torchSharp;
    }

    private static void LoadAll()
    {
        var wrapper = NativeFiles.Find(NativeFiles.Name("LibTorchSharp"))
            ?? throw new LibTorchException($"TorchSharp's native library {NativeFiles.Name("LibTorchSharp")} is not beside the program: there is none for {RuntimeInformation.RuntimeIdentifier}");
        var chosen = Environment.GetEnvironmentVariable(FolderVariable);
        var folder = string.IsNullOrEmpty(chosen) ? BuiltIn() : Chosen(chosen);
        var loader = new NativeFiles(folder);
        KeepThreadsFromSpinning();
        _torchCpu = loader.Load(NativeFiles.Name("torch_cpu"));
        BackEnd = loader.Has(NativeFiles.Name("torch_cuda")) ? "cuda" : "cpu";
        if (BackEnd == "cuda")
        {
            loader.Load(NativeFiles.Name("torch_cuda"));
        }

        loader.Load(NativeFiles.Name("torch"));
        _torchSharp = LoadWrapper(wrapper, loader);
        Location = folder;
        if (!string.IsNullOrEmpty(chosen))
        {
            KeepTorchSharpFromSearching();
        }
    }

    /// <summary>
    /// After each operator libgomp's threads spin for milliseconds, in the hope of the next. Where anything else wants the cores (a second
    /// process, C# threads, a neighbour of a virtual machine) that makes both many times slower; spinning for some microseconds costs nothing.
    /// Whoever has set one of the variables knows better.
    /// </summary>
    private static void KeepThreadsFromSpinning()
    {
        if (OperatingSystem.IsLinux() && Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null && Environment.GetEnvironmentVariable("GOMP_SPINCOUNT") is null)
        {
            // The environment that .NET shows is its own copy: libgomp reads the C library's.
            _ = setenv("GOMP_SPINCOUNT", "10000", 0);
        }
    }

    [DllImport("libc")]
    private static extern int setenv([MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, int overwrite);

    private static string BuiltIn() =>
        NativeFiles.Find(NativeFiles.Name("torch_cpu")) is { } file
            ? Path.GetDirectoryName(file)!
            : throw new LibTorchException(
                $"libtorch is neither beside the program nor, as {PackageId} {PackageVersion}, in NuGet's package cache. "
                + $"Build with -p:TorchBackend=cpu (or cuda); or run toolkit libtorch; or, in a notebook, #r \"nuget: {PackageId}, {PackageVersion}\" and restart; "
                + $"or set {FolderVariable} to the lib folder of an installed PyTorch.");

    private static string Chosen(string folder)
    {
        var file = NativeFiles.Name("torch_cpu");
        foreach (var candidate in new[] { folder, Path.Combine(folder, "lib"), Path.Combine(folder, "torch", "lib") })
        {
            if (File.Exists(Path.Combine(candidate, file)))
            {
                return Path.GetFullPath(candidate);
            }
        }

        throw new LibTorchException($"{FolderVariable} is '{folder}', which {(Directory.Exists(folder) ? $"holds no {file}" : "does not exist")}: it must name the lib folder of an installed PyTorch.");
    }

    private static nint LoadWrapper(string file, NativeFiles loader)
    {
        try
        {
            return loader.LoadFile(file);
        }
        catch (LibTorchException problem) when (OperatingSystem.IsLinux() && problem.Message.Contains(UnmetVersion, StringComparison.Ordinal))
        {
            var image = File.ReadAllBytes(file);
            if (ElfVersions.Weaken(image, UnmetVersion) == 0)
            {
                throw;
            }

            try
            {
                var handle = MemoryFile.Load(Path.GetFileName(file), image);
                IsMended = true;
                return handle;
            }
            catch (Exception second) when (second is IOException or DllNotFoundException)
            {
                throw new LibTorchException($"{problem.Message} A copy without that requirement could not be loaded either: {second.Message}", second);
            }
        }
    }

    /// <summary>
    /// TorchSharp would now load the build's libtorch by its path, beside the one that is loaded: two of them in one process end in a crash.
    /// </summary>
    private static void KeepTorchSharpFromSearching()
    {
        foreach (var name in new[] { "nativeBackendLoaded", "nativeBackendCudaLoaded" })
        {
            var field = typeof(torch).GetField(name, BindingFlags.Static | BindingFlags.NonPublic);
            if (field is null && NativeFiles.Find(NativeFiles.Name("torch_cpu")) is { } second)
            {
                throw new LibTorchException($"This TorchSharp cannot be told to leave '{second}' alone: build with -p:TorchBackend=none to use {FolderVariable}.");
            }

            field?.SetValue(null, true);
        }
    }
}
