using System.IO.Compression;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Notebook.Tests;

/// <summary>Makes NuGet packages in a folder, so that references are tested without a network.</summary>
internal static class LocalPackage
{
    /// <summary>Writes <c>Id.Version.nupkg</c> with one assembly of this source and further files.</summary>
    public static void Write(string folder, string id, string version, string source, (string Id, string Version)[]? needs = null, params (string Path, string Text)[] files)
    {
        Directory.CreateDirectory(folder);
        var dependencies = string.Concat((needs ?? []).Select(need => $"<dependency id=\"{need.Id}\" version=\"{need.Version}\" />"));
        using var archive = ZipFile.Open(Path.Combine(folder, $"{id}.{version}.nupkg"), ZipArchiveMode.Create);
        Add($"{id}.nuspec", $"""
            <?xml version="1.0"?>
            <package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"><metadata>
            <id>{id}</id><version>{version}</version><authors>tests</authors><description>a test package</description>
            <dependencies><group targetFramework="net8.0">{dependencies}</group></dependencies>
            </metadata></package>
            """);
        using (var entry = archive.CreateEntry($"lib/net8.0/{id}.dll").Open())
        {
            entry.Write(Compile(id, version, source));
        }

        foreach (var (path, text) in files)
        {
            Add(path, text);
        }

        void Add(string path, string text)
        {
            using var writer = new StreamWriter(archive.CreateEntry(path).Open());
            writer.Write(text);
        }
    }

    /// <summary>Compiles a library.</summary>
    public static byte[] Compile(string name, string version, string source)
    {
        var trusted = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal));
        var compilation = CSharpCompilation.Create(
            name,
            [CSharpSyntaxTree.ParseText($"[assembly: System.Reflection.AssemblyVersion(\"{version}.0\")]\n{source}")],
            trusted.Select(path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
        using var image = new MemoryStream();
        var result = compilation.Emit(image);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics));
        return image.ToArray();
    }
}
