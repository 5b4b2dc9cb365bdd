using System.Reflection.Metadata;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Toolkit.Graphs.Cpu;

/// <summary>C# to machine code: Roslyn in this process. Its own start costs a second or so, which <see cref="WarmUp"/> takes to another thread.</summary>
internal static class KernelCompiler
{
    private static readonly CSharpParseOptions _parse = new(LanguageVersion.Latest);
    private static readonly Lazy<MetadataReference> _runtime = new(Runtime);
    private static readonly Lazy<Task> _warmUp = new(() => Task.Run(() => Compile([KernelPrelude.Source(KernelPrelude.Width), "namespace Toolkit.Kernels; public static class Kernels { }"])));
    private static int _compilations;

    /// <summary>How many times Roslyn was asked, the warm-up not counted.</summary>
    public static int Compilations => _compilations;

    /// <summary>Starts Roslyn in the background, once.</summary>
    public static void WarmUp() => _ = _warmUp.Value;

    /// <summary>Compiles files to an assembly.</summary>
    /// <exception cref="GraphException">They do not compile, which is a mistake of this library.</exception>
    public static byte[] CompileKernels(params string[] sources)
    {
        Interlocked.Increment(ref _compilations);
        return Compile(sources);
    }

    private static byte[] Compile(string[] sources)
    {
        StartProfile.End(isKept: false);
        var compilation = CSharpCompilation.Create(
            "Toolkit.Kernels",
            sources.Select(source => CSharpSyntaxTree.ParseText(source, _parse)),
            [_runtime.Value],
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release, allowUnsafe: true, deterministic: true, generalDiagnosticOption: ReportDiagnostic.Suppress));
        using var image = new MemoryStream();
        var result = compilation.Emit(image);
        if (!result.Success)
        {
            var error = result.Diagnostics.First(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
            var line = error.Location.SourceTree?.GetText().Lines[error.Location.GetLineSpan().StartLinePosition.Line].ToString().Trim();
            throw new GraphException($"a generated kernel does not compile: {error.GetMessage(System.Globalization.CultureInfo.InvariantCulture)}: {line}");
        }

        return image.ToArray();
    }

    /// <summary>The runtime itself, from its metadata in memory: no file is needed.</summary>
    private static unsafe MetadataReference Runtime()
    {
        if (!typeof(object).Assembly.TryGetRawMetadata(out var blob, out var length))
        {
            throw new GraphException("the runtime does not show its metadata: kernels cannot be compiled here");
        }

        return AssemblyMetadata.Create(ModuleMetadata.CreateFromMetadata((nint)blob, length)).GetReference(display: "System.Private.CoreLib");
    }
}
