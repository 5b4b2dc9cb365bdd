using System.Diagnostics;
using System.Reflection;

namespace Toolkit.Tests;

/// <summary>Starts this program again for one of its tests.</summary>
internal static class OtherProcess
{
    /// <summary>Runs a test in another process, which has to pass there.</summary>
    /// <param name="test">The test; by the variables it knows that it is the other process.</param>
    /// <param name="variables">Environment variables of the other process.</param>
    public static async Task RunAsync(MethodInfo test, params (string Name, string Value)[] variables)
    {
        var (host, assembly) = (Environment.ProcessPath!, test.DeclaringType!.Assembly.Location);
        var isOwn = Path.GetFileNameWithoutExtension(host) != "dotnet";
        var start = new ProcessStartInfo(host) { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments = [.. isOwn ? Array.Empty<string>() : [assembly], "-method", $"{test.DeclaringType.FullName}.{test.Name}"];
        Array.ForEach(arguments, start.ArgumentList.Add);
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0 && output.Contains("Total: 1", StringComparison.Ordinal), output + await errors);
    }
}
