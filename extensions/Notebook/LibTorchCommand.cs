using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using Toolkit.Native;

namespace Toolkit.Notebook;

/// <summary><c>toolkit libtorch</c>: the installed command is packed without libtorch; this fetches it into NuGet's package cache, through NuGet.</summary>
internal static class LibTorchCommand
{
    public static Command Create()
    {
        var command = new Command("libtorch", "Fetches libtorch for this system's CPU into NuGet's package cache, where Toolkit looks for it.");
        command.SetAction(_ => Run(Console.Out, Console.Error));
        return command;
    }

    internal static int Run(TextWriter output, TextWriter errors)
    {
        if (LibTorch.IsLoaded)
        {
            output.WriteLine($"libtorch {LibTorch.Version} is there already: {LibTorch.Location}");
            return 0;
        }

        var folder = Directory.CreateTempSubdirectory("toolkit-libtorch-");
        try
        {
            // A project that only downloads: NuGet's own configuration, sources and cache apply.
            File.WriteAllText(Path.Combine(folder.FullName, "fetch.csproj"), Project(LibTorch.PackageId, LibTorch.PackageVersion));
            output.WriteLine($"{LibTorch.PackageId} {LibTorch.PackageVersion} is fetched…");
            return Restore(folder.FullName, output, errors);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    internal static string Project(string package, string version) => $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <TargetFramework>net10.0</TargetFramework>
          </PropertyGroup>
          <ItemGroup>
            <PackageDownload Include="{package}" Version="[{version}]" />
          </ItemGroup>
        </Project>
        """;

    private static int Restore(string folder, TextWriter output, TextWriter errors)
    {
        try
        {
            using var restore = Process.Start(new ProcessStartInfo("dotnet", ["restore", "--nologo"]) { WorkingDirectory = folder })!;
            restore.WaitForExit();
            if (restore.ExitCode == 0)
            {
                output.WriteLine("libtorch is in the package cache now; toolkit doctor tells whether it loads.");
            }

            return restore.ExitCode;
        }
        catch (Win32Exception problem)
        {
            errors.WriteLine($"dotnet cannot be started ({problem.Message}): the .NET SDK is needed to fetch a package.");
            return 1;
        }
    }
}
