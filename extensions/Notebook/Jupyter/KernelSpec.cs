using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Toolkit.Notebook.Jupyter;

/// <summary>The folder that tells Jupyter front ends how to start this kernel.</summary>
internal static partial class KernelSpec
{
    /// <summary>The name that notebooks of .NET Interactive ask for: they open here as they are.</summary>
    public const string DefaultName = ".net-csharp";

    private const string FileName = "kernel.json";
    private const string Mark = "toolkit";
    private static readonly JsonSerializerOptions _indented = new() { WriteIndented = true };

    /// <summary>Writes the specification and returns its folder.</summary>
    /// <param name="name">The kernel's name in Jupyter.</param>
    /// <param name="prefix">An environment such as /usr/local; null: the user's own.</param>
    /// <exception cref="ArgumentException">Jupyter does not allow the name.</exception>
    public static string Install(string name, string? prefix)
    {
        if (!NamePattern().IsMatch(name))
        {
            throw new ArgumentException($"'{name}' is no kernel name: letters, digits, '.', '_' and '-' only.");
        }

        var folder = Path.Combine(Kernels(prefix), name);
        Directory.CreateDirectory(folder);
        var specification = new JsonObject
        {
            ["argv"] = new JsonArray([.. Program().Concat(["kernel", "start", "{connection_file}"]).Select(part => (JsonNode)part)]),
            ["display_name"] = "C# (Toolkit)",
            ["language"] = "C#",
            ["interrupt_mode"] = "message",
            ["metadata"] = new JsonObject { [Mark] = typeof(KernelSpec).Assembly.GetName().Version!.ToString(3) },
        };
        File.WriteAllText(Path.Combine(folder, FileName), specification.ToJsonString(_indented));
        return folder;
    }

    /// <summary>Removes a specification that <see cref="Install"/> wrote, and returns its folder.</summary>
    /// <exception cref="ArgumentException">There is none of that name, or it is not ours.</exception>
    public static string Uninstall(string name, string? prefix)
    {
        var folder = List(prefix).FirstOrDefault(folder => Path.GetFileName(folder) == name)
            ?? throw new ArgumentException($"There is no kernel '{name}' of Toolkit in {Kernels(prefix)}.");
        Directory.Delete(folder, recursive: true);
        return folder;
    }

    /// <summary>The folders of the specifications that <see cref="Install"/> wrote.</summary>
    public static IReadOnlyList<string> List(string? prefix) =>
        Directory.Exists(Kernels(prefix)) ? [.. Directory.GetDirectories(Kernels(prefix)).Where(IsOurs).Order(StringComparer.Ordinal)] : [];

    private static bool IsOurs(string folder)
    {
        var file = Path.Combine(folder, FileName);
        try
        {
            return File.Exists(file) && JsonNode.Parse(File.ReadAllText(file))?["metadata"]?[Mark] is not null;
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static string Kernels(string? prefix)
    {
        var data = prefix is not null ? Path.Combine(Path.GetFullPath(prefix), "share", "jupyter")
            : Environment.GetEnvironmentVariable("JUPYTER_DATA_DIR") is { Length: > 0 } chosen ? chosen
            : OperatingSystem.IsWindows() ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData), "jupyter")
            : OperatingSystem.IsMacOS() ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), "Library", "Jupyter")
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "jupyter");
        return Path.Combine(data, "kernels");
    }

    /// <summary>How this very program is started: by its own executable, or by dotnet.</summary>
    private static IEnumerable<string> Program()
    {
        var process = Environment.ProcessPath!;
        return Path.GetFileNameWithoutExtension(process) == "dotnet" ? [process, typeof(KernelSpec).Assembly.Location] : [process];
    }

    [GeneratedRegex(@"^[\w.-]+\z", RegexOptions.ECMAScript)]
    private static partial Regex NamePattern();
}
