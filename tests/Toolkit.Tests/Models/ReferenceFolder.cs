namespace Toolkit.Tests.Models;

/// <summary>The models that transformers wrote with what it makes of them: every folder of tests/fixtures/references.</summary>
internal static class ReferenceFolder
{
    /// <summary>Where they are.</summary>
    public static string Root { get; } = Path.Combine(Fixtures.Folder, "references");

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetDirectories(Root).Where(folder => File.Exists(Path.Combine(folder, "expected.safetensors"))).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    /// <summary>The folder of that name.</summary>
    public static string Of(string name) => Path.Combine(Root, name);
}
