using System.Text.Json.Nodes;

namespace Toolkit.Notebook.References;

/// <summary>One package of a restore.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Version">The version that was chosen.</param>
/// <param name="Folder">Where it lies.</param>
internal sealed record RestoredPackage(string Id, string Version, string Folder);

/// <summary>What a restore found: read from NuGet's <c>project.assets.json</c>.</summary>
/// <param name="Packages">Every package, those that others need included.</param>
/// <param name="Assemblies">Full paths of the assemblies that this machine's runtime loads.</param>
/// <param name="NativeLibraries">Full paths of native libraries for this machine.</param>
internal sealed record RestoredPackages(IReadOnlyList<RestoredPackage> Packages, IReadOnlyList<string> Assemblies, IReadOnlyList<string> NativeLibraries)
{
    /// <summary>Reads the file; null where it, or a file that it names, is not there.</summary>
    public static RestoredPackages? Read(string assetsFile, string runtime)
    {
        if (!File.Exists(assetsFile) || JsonNode.Parse(File.ReadAllText(assetsFile)) is not JsonObject assets)
        {
            return null;
        }

        var folders = ((JsonObject)assets["packageFolders"]!).Select(folder => folder.Key).ToArray();
        if (assets["targets"] is not JsonObject targets || targets.FirstOrDefault(target => target.Key.EndsWith("/" + runtime, StringComparison.Ordinal)).Value is not JsonObject chosen)
        {
            return null;
        }

        var (packages, assemblies, natives) = (new List<RestoredPackage>(), new List<string>(), new List<string>());
        foreach (var (name, target) in chosen)
        {
            if ((string?)target!["type"] != "package")
            {
                continue;
            }

            var path = (string)assets["libraries"]![name]!["path"]!;
            var folder = folders.Select(root => Path.Combine(root, path)).FirstOrDefault(Directory.Exists);
            if (folder is null)
            {
                return null;
            }

            var slash = name.IndexOf('/', StringComparison.Ordinal);
            packages.Add(new RestoredPackage(name[..slash], name[(slash + 1)..], folder));
            assemblies.AddRange(Files(target["runtime"], folder).Where(file => file.EndsWith(".dll", StringComparison.OrdinalIgnoreCase)));
            natives.AddRange(Files(target["native"], folder));
        }

        return assemblies.Concat(natives).All(File.Exists) ? new(packages, assemblies, natives) : null;
    }

    private static IEnumerable<string> Files(JsonNode? group, string folder) =>
        group is JsonObject files ? files.Select(file => file.Key).Where(file => !file.EndsWith("_._", StringComparison.Ordinal)).Select(file => Path.GetFullPath(Path.Combine(folder, file))) : [];
}
