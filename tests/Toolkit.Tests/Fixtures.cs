namespace Toolkit.Tests;

/// <summary>The data of the tests, found from the repository or from the build's output.</summary>
internal static class Fixtures
{
    /// <summary>tests/fixtures.</summary>
    public static string Folder { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var path = Path.Combine(folder.FullName, "tests", "fixtures");
            if (Directory.Exists(path))
            {
                return path;
            }
        }

        throw new DirectoryNotFoundException($"there is no tests/fixtures above {AppContext.BaseDirectory}");
    }
}
