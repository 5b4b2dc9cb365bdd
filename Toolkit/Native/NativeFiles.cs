using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Toolkit.Native;

/// <summary>Finds and loads native libraries by full path; what one of them needs is looked for beside it and in the folders of pip's NVIDIA packages.</summary>
internal sealed partial class NativeFiles(string folder)
{
    private readonly string[] _folders = [folder, .. PackageFolders(folder)];

    /// <summary>The file name of a library on this system.</summary>
    public static string Name(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";

    /// <summary>The path of a file that the build put beside the program, or else that NuGet's package cache holds; null where neither has it.</summary>
    public static string? Find(string file)
    {
        var searched = (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return searched
            .Append(AppContext.BaseDirectory)
            .Append(Path.Combine(AppContext.BaseDirectory, "runtimes", NativePackages.Platform, "native"))
            .Concat(NativePackages.Folders())
            .Select(candidate => Path.Combine(candidate, file))
            .FirstOrDefault(File.Exists);
    }

    /// <summary>Whether the folder holds this file.</summary>
    public bool Has(string file) => File.Exists(Path.Combine(folder, file));

    /// <summary>Loads a file of the folder.</summary>
    /// <exception cref="LibTorchException">It cannot be loaded.</exception>
    public nint Load(string file) => LoadFile(Path.Combine(folder, file));

    /// <summary>Loads a file, and first whatever the system's loader says that it misses, where that is found.</summary>
    /// <exception cref="LibTorchException">It cannot be loaded.</exception>
    public nint LoadFile(string path)
    {
        var fetched = new HashSet<string>(StringComparer.Ordinal);
        while (true)
        {
            try
            {
                return NativeLibrary.Load(path);
            }
            catch (Exception problem) when (problem is DllNotFoundException or BadImageFormatException)
            {
                if (Missing(problem.Message) is not { } missing || !fetched.Add(missing) || Locate(missing) is not { } file)
                {
                    throw new LibTorchException($"{path} cannot be loaded: {Reason(problem.Message)}", problem);
                }

                LoadFile(file);
            }
        }
    }

    /// <summary>The first line of the loader's message that is not about a file that merely is not there: .NET lists each name it tried.</summary>
    private static string Reason(string message)
    {
        var lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.FirstOrDefault(line => line.Contains("not found (required by", StringComparison.Ordinal))
            ?? lines.FirstOrDefault(line => MissingPattern().IsMatch(line))
            ?? lines.FirstOrDefault() ?? message;
    }

    private static string? Missing(string message) => MissingPattern().Match(message) is { Success: true } match ? match.Groups["file"].Value : null;

    private static IEnumerable<string> PackageFolders(string folder)
    {
        // site-packages/torch/lib: the CUDA libraries that pip installs are in site-packages/nvidia/*/lib, libgomp's in site-packages/torch.libs.
        var packages = Path.GetFullPath(Path.Combine(folder, "..", ".."));
        var nvidia = Path.Combine(packages, "nvidia");
        var found = Directory.Exists(nvidia) ? Directory.EnumerateDirectories(nvidia).Select(package => Path.Combine(package, "lib")) : [];
        return found.Append(Path.Combine(packages, "torch.libs")).Where(Directory.Exists).Order(StringComparer.Ordinal);
    }

    private string? Locate(string file) => _folders.Select(candidate => Path.Combine(candidate, file)).FirstOrDefault(File.Exists);

    [GeneratedRegex(@"(?<file>[\w.+-]+\.so[\w.]*): cannot open shared object file")]
    private static partial Regex MissingPattern();
}
