using System.Globalization;
using System.Runtime;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

public sealed class StartProfileTests : IDisposable
{
    private const string Variable = "TOOLKIT_TEST_START";
    private readonly string _folder = Directory.CreateTempSubdirectory("start").FullName;

    [Fact]
    public async Task What_a_start_with_kernels_on_disk_compiled_is_ready_in_the_next_one()
    {
        if (IsOtherProcess())
        {
            return;
        }

        Assert.SkipUnless(OperatingSystem.IsLinux(), "the user's folder is set by a variable on Linux only");
        Assert.SkipUnless(Environment.ProcessorCount > 1, ".NET compiles ahead where there is more than one processor");
        var first = await StartAsync();
        var second = await StartAsync();
        var third = await StartAsync();
        Assert.False(first.IsKept, "Roslyn's methods are not wanted in the next start");
        Assert.True(second.IsKept && third.IsKept);
        Assert.True(third.Methods < second.Methods / 2, $"{third.Methods} methods were compiled by the thread that waits, {second.Methods} without the profile");
        Assert.Single(Directory.GetFiles(Path.Combine(_folder, "toolkit", "kernels"), "*.start*")); // nothing half written is left
    }

    [Fact]
    public async Task A_damaged_profile_is_passed_over()
    {
        if (IsOtherProcess())
        {
            return;
        }

        Assert.SkipUnless(OperatingSystem.IsLinux(), "the user's folder is set by a variable on Linux only");
        await StartAsync();
        await StartAsync();
        var profile = Directory.GetFiles(Path.Combine(_folder, "toolkit", "kernels"), "*.start").Single();
        var whole = File.ReadAllBytes(profile);
        foreach (var damaged in new byte[][] { [], whole[..1000], [.. whole[..2000], .. whole.AsSpan(3000)], [.. whole.Select((value, i) => i % 97 == 96 ? (byte)(value ^ 0x55) : value)] })
        {
            File.WriteAllBytes(profile, damaged);
            Assert.True((await StartAsync()).IsKept);
        }
    }

    [Fact]
    public async Task A_program_with_a_profile_of_its_own_turns_it_off()
    {
        AppContext.SetSwitch(StartProfile.Switch, false); // the process is this test's where it counts
        try
        {
            if (IsOtherProcess())
            {
                return;
            }
        }
        finally
        {
            AppContext.SetSwitch(StartProfile.Switch, true);
        }

        Assert.SkipUnless(OperatingSystem.IsLinux(), "the user's folder is set by a variable on Linux only");
        await StartAsync();
        Assert.False((await StartAsync()).IsKept);
        Assert.Empty(Directory.GetFiles(Path.Combine(_folder, "toolkit", "kernels"), "*.start*"));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task<(int Methods, bool IsKept)> StartAsync([System.Runtime.CompilerServices.CallerMemberName] string test = "")
    {
        var report = Path.Combine(_folder, "report");
        await OtherProcess.RunAsync(typeof(StartProfileTests).GetMethod(test)!, (Variable, report), ("XDG_DATA_HOME", _folder));
        var parts = File.ReadAllText(report).Split(' ');
        return (int.Parse(parts[0], CultureInfo.InvariantCulture), bool.Parse(parts[1]));
    }

    /// <summary>Whether this is a start that a test asked for: then a module is compiled, and what became of it reported.</summary>
    private static bool IsOtherProcess()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } report)
        {
            return false;
        }

        File.WriteAllText(report, $"{MethodsCompiledBy(Compile)} {File.Exists(StartProfile.File)}");
        return true;
    }

    private static void Compile()
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        using var module = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 4), nn.Softmax(-1));
        using var compiled = module.Compile(randn(2, 8));
        Assert.Single(compiled.Explain().Graphs);
    }

    private static long MethodsCompiledBy(Action action)
    {
        var before = JitInfo.GetCompiledMethodCount(currentThread: true);
        action();
        return JitInfo.GetCompiledMethodCount(currentThread: true) - before;
    }
}
