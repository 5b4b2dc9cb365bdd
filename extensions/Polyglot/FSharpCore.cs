using System.Reflection;
using System.Runtime.Loader;

namespace Toolkit.Polyglot;

/// <summary>
/// Plotly.NET needs a newer FSharp.Core than the one that .NET Interactive brings along, and .NET Interactive leaves FSharp.Core out of what a
/// package restores. Where the host's is too old, the restored one is loaded beside it, for Toolkit, Plotly.NET and what else asks for it.
/// </summary>
internal static class FSharpCore
{
    private const string Name = "FSharp.Core";

    private static readonly Lock Gate = new();
    private static AssemblyLoadContext? _context;
    private static bool _watches;

    /// <summary>Answers from now on when the host's FSharp.Core is too old for an assembly.</summary>
    public static void Watch()
    {
        lock (Gate)
        {
            if (!_watches)
            {
                _watches = true;
                AssemblyLoadContext.Default.Resolving += (_, wanted) => wanted.Name == Name ? Resolve(wanted) : null;
            }
        }
    }

    /// <summary>The FSharp.Core of the package cache with the least version that will do, or null.</summary>
    /// <param name="cache">Folder of the package cache.</param>
    /// <param name="wanted">The least assembly version.</param>
    internal static string? Find(string cache, Version? wanted)
    {
        var package = Path.Combine(cache, "fsharp.core");
        return !Directory.Exists(package)
            ? null
            : Directory.EnumerateDirectories(package)
                .SelectMany(version => new[] { "netstandard2.1", "netstandard2.0" }.Select(framework => Path.Combine(version, "lib", framework, $"{Name}.dll")))
                .Where(File.Exists)
                .Select(file => (File: file, AssemblyName.GetAssemblyName(file).Version))
                .Where(found => found.Version is { } version && (wanted is null || version >= wanted))
                .OrderBy(found => found.Version)
                .ThenBy(found => found.File, StringComparer.Ordinal)
                .Select(found => found.File)
                .FirstOrDefault();
    }

    private static Assembly? Resolve(AssemblyName wanted)
    {
        lock (Gate)
        {
            // One for all: values of its types pass between Toolkit and Plotly.NET.
            if (_context?.Assemblies.FirstOrDefault() is { } loaded)
            {
                return loaded.GetName().Version >= wanted.Version ? loaded : null;
            }

            // cache/plotly.net/version/lib/framework/Plotly.NET.dll
            var beside = AppDomain.CurrentDomain.GetAssemblies().FirstOrDefault(assembly => assembly.GetName().Name == "Plotly.NET")?.Location ?? typeof(FSharpCore).Assembly.Location;
            if (beside.Length == 0 || Find(Path.GetFullPath(Path.Combine(beside, "..", "..", "..", "..", "..")), wanted.Version) is not { } file)
            {
                return null;
            }

            _context = new AssemblyLoadContext("FSharp.Core for Toolkit");
            return _context.LoadFromAssemblyPath(file);
        }
    }
}
