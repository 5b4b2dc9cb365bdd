using System.Reflection;
using System.Runtime.Loader;
using System.Text.Json.Nodes;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Scripting.Hosting;

namespace Toolkit.Notebook.References;

/// <summary>What a session's cells may use beyond the host's own assemblies: packages, libraries, projects, script files.</summary>
internal sealed class SessionReferences : IDisposable
{
    private static readonly Lazy<Dictionary<string, string>> _host = new(HostAssemblies);
    private readonly List<PackageRequest> _packages = [];
    private readonly List<string> _sources = [];
    private readonly List<MetadataReference> _references = [];
    private readonly Dictionary<string, string> _loaded = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, string> _natives = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _known = new(StringComparer.OrdinalIgnoreCase);

    public SessionReferences() => AssemblyLoadContext.Default.ResolvingUnmanagedDll += ResolveNative;

    /// <summary>Makes the loaded assemblies known to the scripts.</summary>
    public InteractiveAssemblyLoader Loader { get; } = new();

    /// <summary>Reads files of <c>#load</c>.</summary>
    public LoadedSources Sources { get; } = new();

    /// <summary>What was added so far, in order.</summary>
    public IReadOnlyList<MetadataReference> Added => _references;

    /// <summary>Follows the directives of one part of a cell, and of the files that it loads.</summary>
    /// <param name="directives">In order.</param>
    /// <param name="folder">What relative paths mean.</param>
    /// <param name="progress">Told what is being fetched, and at the end what came.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The packages that are new.</returns>
    /// <exception cref="DirectiveException">One cannot be followed.</exception>
    public async Task<IReadOnlyList<RestoredPackage>> Follow(IEnumerable<Directive> directives, string folder, Action<string> progress, CancellationToken cancellation)
    {
        var wanted = new List<(PackageRequest Package, int Line)>();
        foreach (var (directive, place) in Expand(directives, folder))
        {
            switch (directive.Kind)
            {
                case "i":
                    AddSource(directive, place);
                    break;
                case "r" when PackageRequest.Parse(directive.Value, directive.Line) is { } package:
                    if (!package.IsBuiltIn)
                    {
                        wanted.Add((package, directive.Line));
                    }

                    break;
                case "r" when directive.Value.EndsWith("proj", StringComparison.OrdinalIgnoreCase):
                    await AddProject(directive, place, progress, cancellation).ConfigureAwait(false);
                    break;
                case "r":
                    AddLibrary(directive, place);
                    break;
            }
        }

        return wanted.Count == 0 ? [] : await AddPackages(wanted, folder, progress, cancellation).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        AssemblyLoadContext.Default.ResolvingUnmanagedDll -= ResolveNative;
        Loader.Dispose();
    }

    private static Dictionary<string, string> HostAssemblies()
    {
        var trusted = (AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") as string ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        var found = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var path in trusted)
        {
            found[Path.GetFileNameWithoutExtension(path)] = path;
        }

        return found;
    }

    private IEnumerable<(Directive Directive, string Folder)> Expand(IEnumerable<Directive> directives, string folder)
    {
        foreach (var directive in directives)
        {
            if (directive.Kind != "load")
            {
                yield return (directive, folder);
                continue;
            }

            if (PackageRequest.Parse(directive.Value, directive.Line) is not null)
            {
                throw new DirectiveException("ScriptPackage", "#load of a script package is not supported: reference the package with #r and load its file by path.", directive.Line);
            }

            var path = Path.GetFullPath(Path.Combine(folder, directive.Value));
            var inside = Sources.Read(path) ?? throw new DirectiveException("CS1504", $"#load: the file '{path}' does not exist or cannot be read.", directive.Line);
            foreach (var inner in Expand(inside, Path.GetDirectoryName(path)!))
            {
                yield return inner;
            }
        }
    }

    private void AddSource(Directive directive, string folder)
    {
        var source = directive.Value.StartsWith("nuget:", StringComparison.OrdinalIgnoreCase) ? directive.Value["nuget:".Length..].Trim() : directive.Value;
        if (!source.Contains("://", StringComparison.Ordinal))
        {
            source = Path.GetFullPath(Path.Combine(folder, source));
            if (!Directory.Exists(source))
            {
                throw new DirectiveException("PackageSource", $"#i: the folder '{source}' does not exist.", directive.Line);
            }
        }

        if (!_sources.Contains(source))
        {
            _sources.Add(source);
        }
    }

    private async Task<IReadOnlyList<RestoredPackage>> AddPackages(
        IReadOnlyList<(PackageRequest Package, int Line)> wanted, string folder, Action<string> progress, CancellationToken cancellation)
    {
        var all = _packages.ToList();
        foreach (var (package, line) in wanted)
        {
            if (all.FirstOrDefault(earlier => string.Equals(earlier.Id, package.Id, StringComparison.OrdinalIgnoreCase)) is not { } same)
            {
                all.Add(package);
            }
            else if (package.Version is not null && same.Version != package.Version)
            {
                throw new DirectiveException("PackageConflict", $"{package}: this session already uses {same}. A version cannot be replaced in a running session: restart it and reference the one you want.", line);
            }
        }

        if (all.Count == _packages.Count)
        {
            return [];
        }

        var names = string.Join(", ", wanted.Select(item => item.Package));
        progress($"Restoring {names}…");
        RestoredPackages restored;
        try
        {
            restored = await PackageRestore.Run(all, _sources, folder, cancellation).ConfigureAwait(false);
        }
        catch (DirectiveException problem)
        {
            progress($"{names}: not restored");
            throw new DirectiveException(problem.Name, problem.Message, wanted[0].Line);
        }

        var fresh = restored.Packages.Where(package => !_known.Contains(package.Id)).ToArray();
        var assemblies = restored.Assemblies.Where(path => IsNew(path, wanted[0].Line)).ToArray();
        foreach (var native in restored.NativeLibraries)
        {
            _natives.TryAdd(Path.GetFileName(native), native);
        }

        Load(assemblies, packaged: true);
        _packages.Clear();
        _packages.AddRange(all);
        _known.UnionWith(restored.Packages.Select(package => package.Id));
        var direct = restored.Packages.Where(package => wanted.Any(item => string.Equals(item.Package.Id, package.Id, StringComparison.OrdinalIgnoreCase))).ToArray();
        var others = fresh.Length - direct.Count(fresh.Contains);
        progress($"Installed {string.Join(", ", direct.Select(package => $"{package.Id} {package.Version}"))}{(others > 0 ? $" and {others} more that {(direct.Length == 1 ? "it needs" : "they need")}" : "")}");
        return fresh;
    }

    /// <summary>Whether the assembly has to be loaded; it does not where the host or an earlier cell has one that serves.</summary>
    private bool IsNew(string path, int line)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        if (_host.Value.TryGetValue(name, out var hosted))
        {
            var (needed, present) = (AssemblyName.GetAssemblyName(path).Version, AssemblyName.GetAssemblyName(hosted).Version);
            return needed <= present ? false : throw new DirectiveException(
                "PackageConflict", $"The packages need {name} {needed}, but the kernel itself runs on {name} {present}, which cannot be replaced. Reference versions that are content with {present}.", line);
        }

        if (_loaded.TryGetValue(name, out var earlier) && earlier != path)
        {
            throw new DirectiveException("PackageConflict", $"The packages need {name} from '{path}', but this session already runs '{earlier}'. Restart it and reference all packages in its first cell.", line);
        }

        return !_loaded.ContainsKey(name);
    }

    private void AddLibrary(Directive directive, string folder)
    {
        var path = Path.GetFullPath(Path.Combine(folder, directive.Value));
        if (!File.Exists(path))
        {
            // The name of an assembly that is there anyway, such as System.Net.Http.
            if (_host.Value.ContainsKey(Path.GetFileNameWithoutExtension(directive.Value) is { Length: > 0 } stem && directive.Value.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? stem : directive.Value))
            {
                return;
            }

            throw new DirectiveException("CS0006", $"#r: the file '{path}' does not exist.", directive.Line);
        }

        var libraries = new AssemblyDependencies(path);
        AddFiles([path, .. libraries.Managed], libraries.Natives, directive.Line);
    }

    private async Task AddProject(Directive directive, string folder, Action<string> progress, CancellationToken cancellation)
    {
        var path = Path.GetFullPath(Path.Combine(folder, directive.Value));
        if (!File.Exists(path))
        {
            throw new DirectiveException("MSB1009", $"#r: the project '{path}' does not exist.", directive.Line);
        }

        progress($"Building {Path.GetFileName(path)}…");
        var (exitCode, output) = await DotnetCommand.Run(["build", path, "--nologo", "-t:Build", "-getProperty:TargetPath", "-getItem:ReferenceCopyLocalPaths"], Path.GetDirectoryName(path)!, cancellation).ConfigureAwait(false);
        if (exitCode != 0 || JsonOf(output) is not { } built || (string?)built["Properties"]?["TargetPath"] is not { } target || !File.Exists(target))
        {
            progress($"{Path.GetFileName(path)}: not built");
            var errors = output.Split('\n').Where(text => text.Contains(": error ", StringComparison.Ordinal)).Select(text => text.Trim()).Distinct().Take(8).ToArray();
            throw new DirectiveException("ProjectReference", $"'{path}' does not build:\n{(errors.Length > 0 ? string.Join('\n', errors) : output.Trim())}", directive.Line);
        }

        var files = (built["Items"]?["ReferenceCopyLocalPaths"] as JsonArray ?? []).Select(item => (string)item!["FullPath"]!).ToArray();
        var managed = files.Where(file => file.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) && AssemblyDependencies.IsManaged(file));
        AddFiles([target, .. managed], new AssemblyDependencies(target).Natives.Concat(files.Where(file => !file.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) && !file.EndsWith(".pdb", StringComparison.OrdinalIgnoreCase))), directive.Line);
        progress($"Referenced {Path.GetFileName(target)}");
    }

    private static JsonNode? JsonOf(string output)
    {
        var begin = output.IndexOf('{', StringComparison.Ordinal);
        try
        {
            return begin < 0 ? null : JsonNode.Parse(output[begin..(output.LastIndexOf('}') + 1)]);
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }

    private void AddFiles(IEnumerable<string> managed, IEnumerable<string> natives, int line)
    {
        var fresh = new List<string>();
        foreach (var (index, path) in managed.Index())
        {
            var name = Path.GetFileNameWithoutExtension(path);
            if (_loaded.TryGetValue(name, out var earlier))
            {
                // The library itself may have been built anew; what it needs was loaded before and serves.
                if (index == 0 && (earlier != path || Modules.IdOf(path) != Modules.IdOfLoaded(name)))
                {
                    throw new DirectiveException("ReferenceConflict", $"'{path}' is not the {name} that this session already runs (from '{earlier}'). Restart the session to use it.", line);
                }
            }
            else if (!_host.Value.ContainsKey(name))
            {
                fresh.Add(path);
            }
        }

        foreach (var native in natives)
        {
            _natives.TryAdd(Path.GetFileName(native), native);
        }

        Load(fresh, packaged: false);
    }

    private void Load(IReadOnlyCollection<string> paths, bool packaged)
    {
        foreach (var path in paths)
        {
            try
            {
                // Read, not mapped: the project that wrote it can be built again.
                using var image = new MemoryStream(File.ReadAllBytes(path));
                var symbols = Path.ChangeExtension(path, ".pdb");
                using var debug = File.Exists(symbols) ? new MemoryStream(File.ReadAllBytes(symbols)) : null;
                var assembly = packaged ? AssemblyLoadContext.Default.LoadFromAssemblyPath(path) : AssemblyLoadContext.Default.LoadFromStream(image, debug);
                Loader.RegisterDependency(assembly);
                _loaded[Path.GetFileNameWithoutExtension(path)] = path;
                _references.Add(MetadataReference.CreateFromFile(path));
            }
            catch (Exception problem) when (problem is BadImageFormatException or FileLoadException)
            {
                throw new DirectiveException("CS0009", $"'{path}' is not an assembly that can be loaded: {problem.Message}");
            }
        }
    }

    private nint ResolveNative(Assembly assembly, string name)
    {
        foreach (var candidate in new[] { name, $"lib{name}.so", $"{name}.so", $"{name}.dll", $"lib{name}.dylib", $"{name}.dylib" })
        {
            if (_natives.TryGetValue(candidate, out var path) && System.Runtime.InteropServices.NativeLibrary.TryLoad(path, out var handle))
            {
                return handle;
            }
        }

        return 0;
    }
}
