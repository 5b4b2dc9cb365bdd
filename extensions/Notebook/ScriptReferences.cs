using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;

namespace Toolkit.Notebook;

/// <summary>What a cell can use without asking: every assembly the host runs on, and the namespaces that nearly every notebook needs.</summary>
internal static class ScriptReferences
{
    private static readonly string[] Hidden = ["Microsoft.CodeAnalysis", "System.CommandLine", "Markdig", "xunit", "testhost", "Microsoft.VisualStudio", "Microsoft.TestPlatform"];

    private static readonly string[] Basic =
    [
        "System", "System.Collections.Generic", "System.Diagnostics", "System.IO", "System.Linq", "System.Text", "System.Threading", "System.Threading.Tasks", "TorchSharp",
    ];

    private static readonly Lazy<ScriptOptions> Shared = new(Build);

    public static ScriptOptions Options => Shared.Value;

    private static ScriptOptions Build()
    {
        var trusted = (AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") as string ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        var references = trusted
            .Where(path => path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) && !Hidden.Any(Path.GetFileName(path).StartsWith))
            .Select(path => MetadataReference.CreateFromFile(path))
            .ToArray();
        return ScriptOptions.Default
            .WithReferences(references)
            .WithImports(Imports())
            .WithLanguageVersion(Microsoft.CodeAnalysis.CSharp.LanguageVersion.Latest)
            .WithEmitDebugInformation(true)
            .WithOptimizationLevel(OptimizationLevel.Release)
            .WithAllowUnsafe(true)
            .WithFileEncoding(System.Text.Encoding.UTF8);
    }

    // A room that has no public type yet has no namespace to import: asking the assembly keeps a notebook from failing over it.
    private static IEnumerable<string> Imports() =>
        Basic.Concat(typeof(Display.Output).Assembly.GetExportedTypes().Select(type => type.Namespace).OfType<string>().Where(name => name.Split('.')[0] == nameof(Toolkit))).Distinct();
}
