using System.Text.RegularExpressions;

namespace Toolkit.Notebook.References;

/// <summary>A NuGet package that a cell asks for.</summary>
/// <param name="Id">The package's id.</param>
/// <param name="Version">A version, a range or a floating version; null for the newest release.</param>
internal sealed partial record PackageRequest(string Id, string? Version)
{
    private const string Prefix = "nuget:";

    /// <summary>Whether one answer holds for ever.</summary>
    public bool IsExact => Version is not null && ExactVersion().IsMatch(Version);

    /// <summary>Whether the kernel itself brings this package.</summary>
    public bool IsBuiltIn => BuiltIn().IsMatch(Id);

    /// <summary>Reads <c>nuget: Id, Version</c>; null where the text does not begin with <c>nuget:</c>.</summary>
    /// <exception cref="DirectiveException">It does, but names no package.</exception>
    public static PackageRequest? Parse(string text, int line)
    {
        if (!text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var parts = text[Prefix.Length..].Split([',', '/'], 2, StringSplitOptions.TrimEntries);
        if (!IdPattern().IsMatch(parts[0]) || (parts.Length > 1 && !VersionPattern().IsMatch(parts[1])))
        {
            throw new DirectiveException("PackageReference", $"\"{text}\" names no package: write #r \"nuget: Id\" or #r \"nuget: Id, Version\".", line);
        }

        return new PackageRequest(parts[0], parts.Length > 1 && parts[1] is not "*-*" ? parts[1] : parts.Length > 1 ? "*-*" : null);
    }

    /// <inheritdoc/>
    public override string ToString() => Version is null ? Id : $"{Id} {Version}";

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}\z")]
    private static partial Regex IdPattern();

    [GeneratedRegex(@"^[\[\(]?[0-9A-Za-z.,*+\- ]{1,100}[\]\)]?\z")]
    private static partial Regex VersionPattern();

    [GeneratedRegex(@"^[0-9]+(\.[0-9]+){0,3}(-[0-9A-Za-z.\-]+)?\z")]
    private static partial Regex ExactVersion();

    // Notebooks that also run in .NET Interactive begin with a reference to what is here already.
    [GeneratedRegex(@"^(Toolkit|Toolkit\.Polyglot|TorchSharp|TorchSharp-cpu|libtorch-cpu.*|Plotly\.NET|Spectre\.Console)\z", RegexOptions.IgnoreCase)]
    private static partial Regex BuiltIn();
}
