using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Notebook.Tests.Polyglot;

/// <summary>Which FSharp.Core stands in for a host's that is too old.</summary>
public sealed class FSharpCoreTests(PackedExtension package) : IDisposable
{
    private readonly TemporaryFolder _cache = new();
    private readonly InteractiveProcess _process = new(package);

    public void Dispose()
    {
        _process.Dispose();
        _cache.Dispose();
    }

    [Fact]
    public void The_least_version_that_will_do_is_found()
    {
        Put("9.0.1", "9.0.0.0");
        Put("11.0.5", "11.0.0.0");
        Put("10.1.403", "10.1.0.0");
        Directory.CreateDirectory(_cache.File("fsharp.core/12.0.0/lib"));

        Assert.Equal("10.1.403", Found("10.1.0.0"));
        Assert.Equal("11.0.5", Found("10.2.0.0"));
        Assert.Equal("9.0.1", Found(null));
        Assert.Null(Found("11.1.0.0"));
    }

    [Fact]
    public void A_cache_without_it_has_none() => Assert.Null(Found("10.1.0.0"));

    private string? Found(string? wanted)
    {
        var find = _process.Extension.GetType("Toolkit.Polyglot.FSharpCore")!.GetMethod("Find", BindingFlags.Static | BindingFlags.NonPublic)!;
        var file = (string?)find.Invoke(null, [_cache.Path, wanted is null ? null : new Version(wanted)]);
        return file is null ? null : Path.GetRelativePath(_cache.Path, file).Split(Path.DirectorySeparatorChar)[1];
    }

    private void Put(string package, string assembly)
    {
        var file = _cache.File($"fsharp.core/{package}/lib/netstandard2.1/FSharp.Core.dll");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        var result = CSharpCompilation.Create(
            "FSharp.Core",
            [CSharpSyntaxTree.ParseText($"[assembly: System.Reflection.AssemblyVersion(\"{assembly}\")]")],
            [MetadataReference.CreateFromFile(typeof(object).Assembly.Location)],
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary)).Emit(file);
        Assert.True(result.Success);
    }
}
