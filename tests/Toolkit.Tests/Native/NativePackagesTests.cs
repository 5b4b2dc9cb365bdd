using System.Text.RegularExpressions;
using Toolkit.Native;
using TorchSharp;

namespace Toolkit.Tests.Native;

public sealed class NativePackagesTests : IDisposable
{
    private readonly DirectoryInfo _caches = Directory.CreateTempSubdirectory("package-caches");

    public void Dispose() => _caches.Delete(recursive: true);

    [Fact]
    public void ThePackageIsThatOfThisSystemAndOfTheLibtorchThatIsLoaded()
    {
        Assert.Matches(new Regex("^libtorch-cpu-(linux|win|osx)-(x64|arm64)$"), LibTorch.PackageId);
        Assert.Equal(LibTorch.Version, LibTorch.PackageVersion);
    }

    [Fact]
    public void FoldersOfTheRightVersionAreFoundInTheOrderOfTheCaches()
    {
        var wrapper = typeof(torch).Assembly.GetName().Version!.ToString(3);
        var other = Put("first", "torchsharp", "0.1.0");
        var second = Put("second", "torchsharp", wrapper);
        var torchOfFirst = Put("first", LibTorch.PackageId, LibTorch.PackageVersion);
        Put("first", LibTorch.PackageId, "1.0.0");

        Assert.Equal([torchOfFirst, second], NativePackages.Folders([Cache("first"), Cache("second"), Cache("missing")]));
        Assert.True(Directory.Exists(other));
    }

    [Fact]
    public void WhatTheBuildPutBesideTheProgramComesFirst() =>
        Assert.StartsWith(AppContext.BaseDirectory, NativeFiles.Find(NativeFiles.Name("torch_cpu")));

    [Fact]
    public void AFileThatNobodyHasIsNotFound() => Assert.Null(NativeFiles.Find("no-such-library.so"));

    private string Cache(string name) => Path.Combine(_caches.FullName, name);

    private string Put(string cache, string package, string version) =>
        Directory.CreateDirectory(Path.Combine(Cache(cache), package, version, "runtimes", NativePackages.Platform, "native")).FullName;
}
