using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary><c>#r</c>, <c>#i</c> and <c>#load</c>.</summary>
public sealed class ReferenceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _name = $"TkTest{Guid.NewGuid():N}";

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task APackageBringsWhatItNeeds()
    {
        var source = Path.Combine(_folder.Path, "packages");
        LocalPackage.Write(source, _name + "Core", "1.2.0", $"namespace {_name}Core; public static class Deep {{ public static int Answer => 42; }}");
        LocalPackage.Write(source, _name, "1.0.0", $"namespace {_name}; public static class Top {{ public static string Say => \"top\"; }}", [(_name + "Core", "1.2.0")]);
        var (document, result) = await Run.Cells(
            $"#i \"nuget: {source}\"\n#r \"nuget: {_name}, 1.0.0\"\n{_name}.Top.Say + {_name}Core.Deep.Answer",
            $"#r \"nuget: {_name}\"\nusing {_name}Core;\nDeep.Answer");
        Assert.Null(result.Error);
        Assert.Contains($"Installed {_name} 1.0.0 and 1 more", document.Outputs(0)[0].Plain());
        Assert.Equal("top42", document.Outputs(0)[1].Plain());
        Assert.Equal("42", document.Outputs(1)[0].Plain());
    }

    [Fact]
    public async Task SeveralPackagesInOneCellAndOneAnswerForEver()
    {
        var source = Path.Combine(_folder.Path, "packages");
        LocalPackage.Write(source, _name + "A", "1.0.0", $"public static class {_name}A {{ public const int Value = 1; }}");
        LocalPackage.Write(source, _name + "B", "2.0.0", $"public static class {_name}B {{ public const int Value = 2; }}");
        var cell = $"#i \"{source}\"\n#r \"nuget: {_name}A, 1.0.0\"\n#r \"nuget:{_name}B,2.0.0\"\n{_name}A.Value + {_name}B.Value";
        Assert.Equal("3", (await Run.Cells(cell)).Document.Outputs(0)[1].Plain());
        // The answer is kept: the source is not asked again.
        foreach (var package in Directory.GetFiles(source))
        {
            File.Delete(package);
        }

        Assert.Equal("3", (await Run.Cells(cell)).Document.Outputs(0)[1].Plain());
    }

    [Fact]
    public async Task AMissingPackageAndAnotherVersionAreClearErrors()
    {
        var source = Path.Combine(_folder.Path, "packages");
        LocalPackage.Write(source, _name, "1.0.0", $"public static class {_name} {{ }}");
        File.WriteAllText(Path.Combine(_folder.Path, "NuGet.config"), "<configuration><packageSources><clear /></packageSources></configuration>");
        var (_, missing) = await Run.Document(NotebookDocument.Of($"#i \"{source}\"\n\n#r \"nuget: {_name}Missing, 1.0.0\""), new() { WorkingFolder = _folder.Path });
        Assert.Equal("NU1101", missing.Error!.Name);
        Assert.Equal(3, missing.Error.Line);
        Assert.Contains(_name + "Missing", missing.Error.Message);

        var (_, conflict) = await Run.Cells($"#i \"{source}\"\n#r \"nuget: {_name}, 1.0.0\"", $"#r \"nuget: {_name}, 2.0.0\"");
        Assert.Equal("PackageConflict", conflict.Error!.Name);
        Assert.Contains("already uses", conflict.Error.Message);

        var (_, folder) = await Run.Cells("#i \"nuget: /does/not/exist\"");
        Assert.Contains("does not exist", folder.Error!.Message);
        var (_, syntax) = await Run.Cells("1\n", "#r \"nuget: ,\"");
        Assert.Contains("names no package", syntax.Error!.Message);
    }

    [Fact]
    public async Task APackageThatNeedsAnotherAssemblyThanTheKernelIsRefused()
    {
        var source = Path.Combine(_folder.Path, "packages");
        LocalPackage.Write(source, "Markdig", "999.0.0", "public static class M { }");
        var (_, result) = await Run.Cells($"#i \"{source}\"\n#r \"nuget: Markdig, 999.0.0\"");
        Assert.Equal("PackageConflict", result.Error!.Name);
        Assert.Contains("999.0.0.0", result.Error.Message);
    }

    [Fact]
    public async Task AnExtensionOfAPackageRuns()
    {
        var source = Path.Combine(_folder.Path, "packages");
        LocalPackage.Write(
            source, _name, "1.0.0", $"public static class {_name} {{ public static int Loads; }}", null,
            ("interactive-extensions/dotnet/extension.dib", $"#!csharp\n\n{{ {_name}.Loads++; }}\n\n#!csharp\n\n{_name}.Loads += 10;\n"));
        LocalPackage.Write(source, _name + "Bad", "1.0.0", $"public static class {_name}Bad {{ }}", null, ("interactive-extensions/dotnet/extension.dib", "#!csharp\n\nnot C#;\n"));
        var (document, result) = await Run.Cells($"#i \"{source}\"\n#r \"nuget: {_name}, 1.0.0\"\n{_name}.Loads", $"#r \"nuget: {_name}Bad, 1.0.0\"\n1");
        Assert.Null(result.Error);
        Assert.Equal("11", document.Outputs(0)[1].Plain());
        Assert.Contains("did not load", document.Outputs(1).First(output => output.Kind() == "stream")!["text"].Joined());
    }

    [Fact]
    public async Task ALibraryByItsPath()
    {
        File.WriteAllBytes(Path.Combine(_folder.Path, _name + ".dll"), LocalPackage.Compile(_name, "1.0.0", $"public static class {_name} {{ public static int Seven => 7; }}"));
        var (document, result) = await Run.Document(NotebookDocument.Of($"#r \"{_name}.dll\"\n{_name}.Seven", "#r \"System.Net.Http\"\n1", "#r \"nothing.dll\""), new() { WorkingFolder = _folder.Path });
        Assert.Equal("7", document.Outputs(0)[0].Plain());
        Assert.Equal("1", document.Outputs(1)[0].Plain());
        Assert.Contains("nothing.dll", result.Error!.Message);
    }

    [Fact]
    public async Task AProjectIsBuiltAndReferenced()
    {
        var project = Directory.CreateDirectory(Path.Combine(_folder.Path, "lib"));
        File.WriteAllText(Path.Combine(project.FullName, "Directory.Build.props"), "<Project />");
        File.WriteAllText(Path.Combine(project.FullName, "Directory.Packages.props"), "<Project />");
        File.WriteAllText(Path.Combine(project.FullName, _name + ".csproj"), "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup></Project>");
        var code = Path.Combine(project.FullName, "Code.cs");
        File.WriteAllText(code, $"public static class {_name} {{ public static int Nine() => 9; }}");
        var (document, result) = await Run.Document(NotebookDocument.Of($"#r \"lib/{_name}.csproj\"\n{_name}.Nine()"), new() { WorkingFolder = _folder.Path });
        Assert.Null(result.Error);
        Assert.Equal("9", document.Outputs(0)[1].Plain());

        File.WriteAllText(code, "public class Broken {");
        var (_, broken) = await Run.Document(NotebookDocument.Of($"#r \"lib/{_name}.csproj\""), new() { WorkingFolder = _folder.Path });
        Assert.Contains("CS1513", broken.Error!.Message);
    }

    [Fact]
    public async Task LoadedFilesShareTheSessionAndNameTheirLines()
    {
        File.WriteAllText(Path.Combine(_folder.Path, "inner.csx"), "int Two() => 2;");
        File.WriteAllText(Path.Combine(_folder.Path, "outer.csx"), "#load \"inner.csx\"\nint Four() => Two() * 2;\nvoid Fail()\n{\n    throw new InvalidOperationException(\"no\");\n}");
        var (document, result) = await Run.Document(NotebookDocument.Of("#load \"outer.csx\"\nFour()", "Fail()"), new() { WorkingFolder = _folder.Path });
        Assert.Equal("4", document.Outputs(0)[0].Plain());
        Assert.Contains("outer.csx, line 5", result.Error!.Report);
        Assert.Contains("Cell 2, line 1", result.Error.Report);
        var (_, missing) = await Run.Cells("#load \"absent.csx\"");
        Assert.Contains("absent.csx", missing.Error!.Message);
    }
}
