using System.Runtime.CompilerServices;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

public sealed class KernelCacheTests : IDisposable
{
    private const string FolderVariable = "TOOLKIT_TEST_KERNELS";
    private readonly string _folder = Directory.CreateTempSubdirectory("kernels").FullName;

    [Fact]
    public void The_second_start_compiles_nothing()
    {
        Assert.Equal(KernelOrigin.Compiler, RunOnce(3.25));
        Collect();
        Assert.Equal(KernelOrigin.Disk, RunOnce(3.25));
        Assert.Single(Directory.GetFiles(_folder, "*.dll"));
        Assert.Contains("public static void", File.ReadAllText(Directory.GetFiles(_folder, "*.cs").Single()));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("foreign")]
    [InlineData("no hash")]
    [InlineData("garbage with its hash")]
    public void A_damaged_file_is_compiled_anew(string damage)
    {
        var factor = 1 + (1.0 / damage.Sum(c => c));
        Assert.Equal(KernelOrigin.Compiler, RunOnce(factor));
        Collect();
        var (file, hash) = (Directory.GetFiles(_folder, "*.dll").Single(), Directory.GetFiles(_folder, "*.sha256").Single());
        switch (damage)
        {
            case "cut":
                File.WriteAllBytes(file, File.ReadAllBytes(file)[..1000]);
                break;
            case "foreign":
                File.Copy(typeof(KernelCacheTests).Assembly.Location, file, overwrite: true);
                break;
            case "no hash":
                File.Delete(hash);
                break;
            default:
                File.WriteAllBytes(file, [1, 2, 3]);
                File.WriteAllText(hash, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData([1, 2, 3])));
                break;
        }

        Assert.Equal(KernelOrigin.Compiler, RunOnce(factor));
        Collect();
        Assert.Equal(KernelOrigin.Disk, RunOnce(factor));
    }

    [Fact]
    public void What_cannot_be_kept_leaves_nothing()
    {
        Assert.Equal(KernelOrigin.Compiler, RunOnce(3.375));
        Collect();
        var files = Directory.GetFiles(_folder);
        foreach (var file in files)
        {
            // In their place now, so that no file can be put there.
            File.Delete(file);
            Directory.CreateDirectory(file);
        }

        Assert.Equal(KernelOrigin.Compiler, RunOnce(3.375));
        Assert.Empty(Directory.GetFiles(_folder));
        Assert.Equal(files.Length, Directory.GetDirectories(_folder).Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\0b")]
    public void A_folder_has_a_name(string name) => Assert.Throws<ArgumentException>(() => new CpuOptions { CacheFolder = name });

    [Fact]
    public void Equal_graphs_share_their_code_while_one_is_alive()
    {
        var options = new CpuOptions { CacheFolder = null };
        using var first = CpuBackend.Compile(Chain(1.75), options);
        using var second = CpuBackend.Compile(Chain(1.75), options);
        Assert.Equal((KernelOrigin.Compiler, KernelOrigin.Memory), (first.KernelOrigin, second.KernelOrigin));
    }

    [Fact]
    public void Code_of_dropped_graphs_is_unloaded()
    {
        var code = CompileAndDrop();
        for (var i = 0; i < 20 && code.IsAlive; i++)
        {
            Collect();
        }

        Assert.False(code.IsAlive);
    }

    [Fact]
    public async Task Another_process_compiles_nothing()
    {
        // Started as the other process, this test only looks whether it finds what the first one left.
        if (Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } folder)
        {
            Assert.Equal(KernelOrigin.Disk, RunOnce(5.5, folder));
            return;
        }

        Assert.Equal(KernelOrigin.Compiler, RunOnce(5.5));
        await OtherProcess.RunAsync(((Func<Task>)Another_process_compiles_nothing).Method, (FolderVariable, _folder));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference CompileAndDrop()
    {
        using var executable = CpuBackend.Compile(Chain(7.125), new CpuOptions { CacheFolder = null });
        using var scope = NewDisposeScope();
        executable.Run([randn(100, 30)]);
        return executable.WatchCode();
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private KernelOrigin RunOnce(double factor, string? folder = null)
    {
        using var executable = CpuBackend.Compile(Chain(factor), new CpuOptions { CacheFolder = folder ?? _folder });
        using var scope = NewDisposeScope();
        var x = randn(100, 30);
        CpuBackendTests.Close((x * factor).tanh(), executable.Run([x])[0], 1e-6);
        return executable.KernelOrigin;
    }

    private static Graph Chain(double factor)
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [100, 30]), GraphInputKind.Argument, "x");
        return g.Build([g.Add("aten::tanh", g.Add("aten::mul.Scalar", x, factor))]);
    }
}
