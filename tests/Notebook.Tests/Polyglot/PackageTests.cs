namespace Notebook.Tests.Polyglot;

/// <summary>What a user gets by <c>#r "nuget: Toolkit.Polyglot"</c>.</summary>
public sealed class PackageTests(PackedExtension package)
{
    [Fact]
    public void The_package_has_the_layout_that_makes_NET_Interactive_load_it()
    {
        var files = PackedExtension.Files(package.Polyglot);

        // Without a library the host never looks for the script; with a library beside the script it would load that one twice.
        Assert.Contains("lib/net10.0/Toolkit.Polyglot.dll", files);
        Assert.Equal(["interactive-extensions/dotnet/extension.dib"], files.Where(file => file.StartsWith("interactive-extensions/", StringComparison.Ordinal)));
        Assert.Equal(["lib/net10.0/Toolkit.Polyglot.dll"], files.Where(file => file.EndsWith(".dll", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_package_brings_Toolkit_and_nothing_of_NET_Interactive()
    {
        var dependencies = PackedExtension.Dependencies(package.Polyglot);

        Assert.Equal(typeof(Toolkit.LanguageModel).Assembly.GetName().Version!.ToString(3), dependencies["Toolkit"]);
        Assert.DoesNotContain(dependencies.Keys, id => id.StartsWith("Microsoft.DotNet.Interactive", StringComparison.OrdinalIgnoreCase) || id.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));
    }

    [Fact]
    public void Toolkit_s_package_asks_for_libtorch_and_does_not_carry_it()
    {
        var files = PackedExtension.Files(package.Toolkit);

        Assert.Contains("lib/net10.0/Toolkit.dll", files);
        Assert.Contains("lib/net10.0/Toolkit.xml", files);
        Assert.DoesNotContain(files, file => file.StartsWith("runtimes/", StringComparison.Ordinal) || file.StartsWith("content", StringComparison.Ordinal));
        Assert.True(files.Sum(file => new FileInfo(Path.Combine(package.Toolkit, file)).Length) < 5_000_000);
        var dependencies = PackedExtension.Dependencies(package.Toolkit);
        Assert.Contains("TorchSharp", dependencies.Keys);
        Assert.Equal(Toolkit.Native.LibTorch.PackageVersion, dependencies[Toolkit.Native.LibTorch.PackageId]);
    }
}
