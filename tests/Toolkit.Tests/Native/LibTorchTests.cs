using System.Diagnostics;
using Toolkit.Native;
using TorchSharp;

namespace Toolkit.Tests.Native;

public sealed class LibTorchTests
{
    [Fact]
    public void IsLoadedAndComputes()
    {
        LibTorch.Load();
        Assert.True(LibTorch.IsLoaded);
        Assert.True(Directory.Exists(LibTorch.Location));
        Assert.Matches(@"^2\.\d+\.\d+$", LibTorch.Version);
        Assert.Contains(LibTorch.BackEnd, new[] { "cpu", "cuda" });
        using var scope = torch.NewDisposeScope();
        Assert.Equal(3f, torch.ones(3).sum().item<float>());
    }

    [Theory]
    [InlineData("/nowhere/torch/lib", "does not exist")]
    [InlineData("", "libtorch")]
    public void SaysWhatIsWrongWithAChosenFolder(string folder, string expected)
    {
        // The folder is read once a process, when it starts: the test host itself is started anew with it.
        var wanted = folder.Length > 0 ? folder : Path.GetTempPath();
        var (output, _) = Doctor(wanted);
        Assert.Contains(expected, output);
        Assert.Contains(wanted, output);
        Assert.Contains(LibTorch.FolderVariable, output);
    }

    [Fact]
    public void LoadsTheChosenFolder()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "links to shared libraries are made on Linux only");
        var folder = Directory.CreateTempSubdirectory("libtorch");
        try
        {
            foreach (var file in Directory.EnumerateFiles(LibTorch.Location!, "lib*.so*").Where(file => !file.Contains("LibTorchSharp", StringComparison.Ordinal)))
            {
                File.CreateSymbolicLink(Path.Combine(folder.FullName, Path.GetFileName(file)), file);
            }

            var (output, exitCode) = Doctor(folder.FullName);
            Assert.Contains($"from {folder.FullName}", output);
            Assert.Contains("GFLOP/s", output);
            Assert.Equal(0, exitCode);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (string Output, int ExitCode) Doctor(string folder)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment[LibTorch.FolderVariable] = folder;
        start.Environment[DoctorProcess.Variable] = "1";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (output.Result + errors, process.ExitCode);
    }
}
