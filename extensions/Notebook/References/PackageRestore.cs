using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Toolkit.Notebook.References;

/// <summary>
/// Asks NuGet, through <c>dotnet restore</c> of a small project, for packages and all they need. Answers are kept: the same question costs
/// milliseconds and no network. An answer to a question without an exact version holds for a day, or longer where no source can be reached.
/// </summary>
internal static partial class PackageRestore
{
    private static readonly TimeSpan Fresh = TimeSpan.FromDays(1);

    /// <summary>The answer.</summary>
    /// <param name="packages">All packages of the session: they have to fit together.</param>
    /// <param name="sources">Additional sources: folders or addresses.</param>
    /// <param name="folder">The folder whose <c>NuGet.config</c> counts.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="DirectiveException">The packages were not found, or do not fit together.</exception>
    public static async Task<RestoredPackages> Run(IReadOnlyCollection<PackageRequest> packages, IReadOnlyCollection<string> sources, string folder, CancellationToken cancellation)
    {
        var project = Project(packages, sources, folder);
        var place = Path.Combine(
            Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "toolkit", "packages",
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(project)))[..24]);
        var assets = Path.Combine(place, "obj", "project.assets.json");
        var kept = RestoredPackages.Read(assets, RuntimeInformation.RuntimeIdentifier);
        if (kept is not null && (packages.All(package => package.IsExact) || DateTime.UtcNow - File.GetLastWriteTimeUtc(assets) < Fresh))
        {
            return kept;
        }

        Directory.CreateDirectory(place);
        var file = Path.Combine(place, "packages.csproj");
        await File.WriteAllTextAsync(file, project, cancellation).ConfigureAwait(false);
        var (exitCode, output) = await DotnetCommand.Run(["restore", file, "--nologo", "-v:quiet", "--force"], place, cancellation).ConfigureAwait(false);
        if (exitCode != 0)
        {
            return kept ?? throw Failure(packages, output);
        }

        File.SetLastWriteTimeUtc(assets, DateTime.UtcNow);
        return RestoredPackages.Read(assets, RuntimeInformation.RuntimeIdentifier)
            ?? throw new DirectiveException("PackageReference", $"NuGet restored {string.Join(", ", packages)}, but files of the packages are missing: clear NuGet's cache with 'dotnet nuget locals all --clear'.");
    }

    private static DirectiveException Failure(IEnumerable<PackageRequest> packages, string output)
    {
        var problems = Problem().Matches(output).Select(match => (Code: match.Groups[1].Value, Text: match.Groups[2].Value.Trim())).Distinct().ToArray();
        var what = string.Join(", ", packages);
        return problems.Length == 0
            ? new DirectiveException("PackageReference", $"{what} could not be restored: {output.Trim()}")
            : new DirectiveException(problems[0].Code, $"{what} could not be restored:\n{string.Join('\n', problems.Select(problem => $"{problem.Code}: {problem.Text}"))}");
    }

    private static string Project(IEnumerable<PackageRequest> packages, IReadOnlyCollection<string> sources, string folder) => new XElement(
        "Project",
        new XElement(
            "PropertyGroup",
            // Nothing above the project, and nothing of a central pinning, reaches in.
            new XElement("ImportDirectoryBuildProps", "false"),
            new XElement("ImportDirectoryBuildTargets", "false"),
            new XElement("ImportDirectoryPackagesProps", "false"),
            new XElement("ManagePackageVersionsCentrally", "false"),
            new XElement("MSBuildProjectExtensionsPath", "$(MSBuildProjectDirectory)/obj/")),
        new XElement("Import", new XAttribute("Project", "Sdk.props"), new XAttribute("Sdk", "Microsoft.NET.Sdk")),
        new XElement(
            "PropertyGroup",
            new XElement("TargetFramework", $"net{Environment.Version.Major}.{Environment.Version.Minor}"),
            new XElement("RuntimeIdentifier", RuntimeInformation.RuntimeIdentifier),
            new XElement("SelfContained", "false"),
            new XElement("TreatWarningsAsErrors", "false"),
            new XElement("WarningsAsErrors", "NU1605"),
            new XElement("NuGetAudit", "false"),
            new XElement("RestoreRootConfigDirectory", folder),
            sources.Count == 0 ? null : new XElement("RestoreAdditionalProjectSources", string.Join(';', sources))),
        new XElement("ItemGroup", packages.OrderBy(package => package.Id, StringComparer.OrdinalIgnoreCase).Select(package =>
            new XElement("PackageReference", new XAttribute("Include", package.Id), new XAttribute("Version", package.Version ?? "*")))),
        new XElement("Import", new XAttribute("Project", "Sdk.targets"), new XAttribute("Sdk", "Microsoft.NET.Sdk"))).ToString();

    [GeneratedRegex(@"error (NU\d+|MSB\d+|NETSDK\d+)\s*:\s*([^\n]*?)(?:\s*\[[^\]\n]*\])?\s*(?:\n|\z)")]
    private static partial Regex Problem();
}
