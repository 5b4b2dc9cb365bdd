using System.ComponentModel;
using System.Diagnostics;

namespace Toolkit.Notebook.References;

/// <summary>Runs the .NET SDK's <c>dotnet</c>.</summary>
internal static class DotnetCommand
{
    /// <summary>Runs it and returns its exit code and what it printed. An interruption ends it.</summary>
    /// <exception cref="DirectiveException">There is no SDK.</exception>
    public static async Task<(int ExitCode, string Output)> Run(IEnumerable<string> arguments, string folder, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(Executable(), arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var (name, value) in new[] { ("DOTNET_CLI_TELEMETRY_OPTOUT", "1"), ("DOTNET_NOLOGO", "1"), ("DOTNET_CLI_UI_LANGUAGE", "en"), ("MSBUILDDISABLENODEREUSE", "1") })
        {
            start.Environment[name] = value;
        }

        // What an outer `dotnet run` or `dotnet test` set up is for its own SDK's tasks.
        foreach (var name in new[] { "MSBuildSDKsPath", "MSBUILD_EXE_PATH", "MSBuildExtensionsPath" })
        {
            start.Environment.Remove(name);
        }

        try
        {
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
            try
            {
                await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                throw;
            }

            return (process.ExitCode, await output.ConfigureAwait(false) + await error.ConfigureAwait(false));
        }
        catch (Win32Exception missing)
        {
            throw new DirectiveException("SdkMissing", $"The .NET SDK's command 'dotnet' could not be started ({missing.Message}); packages and projects need it.");
        }
    }

    private static string Executable()
    {
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        // <root>/shared/Microsoft.NETCore.App/<version>/System.Private.CoreLib.dll
        var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", ".."));
        return new[] { Environment.GetEnvironmentVariable("DOTNET_HOST_PATH"), Path.Combine(root, name) }.FirstOrDefault(File.Exists) ?? name;
    }
}
