using System.Diagnostics;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Xml.Linq;
using Notebook.Tests.Polyglot;

[assembly: AssemblyFixture(typeof(PackedExtension))]

namespace Notebook.Tests.Polyglot;

/// <summary>The packages as <c>dotnet pack</c> writes them, unpacked: once for all tests, when the first asks.</summary>
public sealed class PackedExtension : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Lazy<string> _polyglot;
    private readonly Lazy<string> _toolkit;

    public PackedExtension()
    {
        _polyglot = new(() => Pack("extensions/Polyglot", "Toolkit.Polyglot"));
        _toolkit = new(() => Pack("Toolkit", "Toolkit"));
    }

    /// <summary>Folder of the unpacked Toolkit.Polyglot.</summary>
    public string Polyglot => _polyglot.Value;

    /// <summary>Folder of the unpacked Toolkit.</summary>
    public string Toolkit => _toolkit.Value;

    public static IReadOnlyList<string> Files(string package) =>
        [.. Directory.EnumerateFiles(package, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(package, file).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    public static IReadOnlyDictionary<string, string> Dependencies(string package)
    {
        var manifest = XDocument.Load(Directory.EnumerateFiles(package, "*.nuspec").Single());
        return manifest.Descendants().Where(element => element.Name.LocalName == "dependency")
            .ToDictionary(element => (string)element.Attribute("id")!, element => (string)element.Attribute("version")!);
    }

    public void Dispose() => _folder.Dispose();

    private static string Root([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", ".."));

    private string Pack(string project, string id)
    {
        // What the build of the tests has just built is packed: bin/<configuration>/net10.0/<system>.
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Parent!.Name;
        var output = Directory.CreateDirectory(_folder.File($"{id}-packed")).FullName;
        using var process = Process.Start(new ProcessStartInfo("dotnet", ["pack", Path.Combine(Root(), project), "-c", configuration, "--no-build", "-o", output, "--nologo", "-v", "quiet"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        var said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, said + errors.Result);
        var unpacked = _folder.File(id);
        ZipFile.ExtractToDirectory(Directory.EnumerateFiles(output, "*.nupkg").Single(), unpacked);
        return unpacked;
    }
}
