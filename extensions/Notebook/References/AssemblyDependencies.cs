using System.Reflection.PortableExecutable;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Notebook.References;

/// <summary>What lies beside an assembly and belongs to it: the files that its <c>.deps.json</c> names, or every library of its folder where it has none.</summary>
internal sealed class AssemblyDependencies
{
    public AssemblyDependencies(string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        var named = Path.ChangeExtension(path, ".deps.json") is var file && File.Exists(file) ? Names(file) : null;
        var files = Directory.EnumerateFiles(folder).Where(candidate => candidate != path && (named is null || named.Contains(Path.GetFileName(candidate)))).ToArray();
        Managed = [.. files.Where(candidate => candidate.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) && IsManaged(candidate))];
        var native = Path.Combine(folder, "runtimes", System.Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier, "native");
        Natives = [.. files.Except(Managed).Where(IsLibrary), .. Directory.Exists(native) ? Directory.EnumerateFiles(native) : []];
    }

    /// <summary>Assemblies.</summary>
    public IReadOnlyList<string> Managed { get; }

    /// <summary>Native libraries.</summary>
    public IReadOnlyList<string> Natives { get; }

    /// <summary>Whether a file is an assembly.</summary>
    public static bool IsManaged(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            using var image = new PEReader(file);
            return image.HasMetadata;
        }
        catch (Exception problem) when (problem is BadImageFormatException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool IsLibrary(string path) =>
        path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".dylib", StringComparison.Ordinal) || Path.GetFileName(path).Contains(".so", StringComparison.Ordinal);

    private static HashSet<string> Names(string file)
    {
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        try
        {
            foreach (var library in (JsonNode.Parse(File.ReadAllText(file))?["targets"] as JsonObject ?? []).SelectMany(target => target.Value as JsonObject ?? []))
            {
                foreach (var group in new[] { "runtime", "native", "runtimeTargets" })
                {
                    names.UnionWith((library.Value?[group] as JsonObject ?? []).Select(entry => Path.GetFileName(entry.Key)));
                }
            }
        }
        catch (JsonException)
        {
            // A broken list names nothing.
        }

        return names;
    }
}
