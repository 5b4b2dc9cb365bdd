using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Notebook.Tests.Polyglot;

/// <summary>The script of the package, compiled against the members of .NET Interactive that it names, and run.</summary>
public sealed class ScriptTests(PackedExtension package) : IDisposable
{
    // Names and signatures as in .NET Interactive's own last sources.
    private const string Host = """
        using System;
        using System.Collections.Generic;
        using System.Threading;
        using System.Threading.Tasks;

        namespace Microsoft.DotNet.Interactive
        {
            public class Kernel
            {
                public static Kernel Root { get; } = new Kernel();
                public KernelInfo KernelInfo { get; } = new KernelInfo();
                public List<(Directives.KernelActionDirective Directive, KernelCommandInvocation Handler)> Added { get; } = new();
                public void AddDirective(Directives.KernelActionDirective directive, KernelCommandInvocation handler)
                {
                    KernelInfo.SupportedDirectives.Add(directive);
                    Added.Add((directive, handler));
                }
                public void AddDirective<T>(Directives.KernelActionDirective directive, Func<T, KernelInvocationContext, Task> handler) where T : Commands.KernelCommand => throw new NotSupportedException();
            }
            public class KernelInfo { public ICollection<Directives.KernelDirective> SupportedDirectives { get; } = new List<Directives.KernelDirective>(); }
            public delegate Task KernelCommandInvocation(Commands.KernelCommand command, KernelInvocationContext context);
            public class KernelInvocationContext
            {
                public static KernelInvocationContext Current { get; set; } = new();
                public Commands.KernelCommand Command { get; } = new();
                public CancellationToken CancellationToken => default;
                public List<Events.DisplayEvent> Published { get; } = new();
                public void Publish(object @event) => Published.Add((Events.DisplayEvent)@event);
            }
        }

        namespace Microsoft.DotNet.Interactive.Commands { public class KernelCommand { } }

        namespace Microsoft.DotNet.Interactive.Directives
        {
            public abstract class KernelDirective { public string Name { get; init; } public string Description { get; set; } }
            public class KernelActionDirective : KernelDirective { public KernelActionDirective(string name) { Name = name; } }
        }

        namespace Microsoft.DotNet.Interactive.Formatting
        {
            public class FormattedValue
            {
                public FormattedValue(string mimeType, string value) { MimeType = mimeType; Value = value; }
                public string MimeType { get; }
                public string Value { get; }
            }
        }

        namespace Microsoft.DotNet.Interactive.Events
        {
            public abstract class DisplayEvent
            {
                public IReadOnlyCollection<Formatting.FormattedValue> FormattedValues { get; init; }
                public string ValueId { get; init; }
            }
            public class DisplayedValueProduced : DisplayEvent
            {
                public DisplayedValueProduced(object value, Commands.KernelCommand command, IReadOnlyCollection<Formatting.FormattedValue> formattedValues = null, string valueId = null)
                { FormattedValues = formattedValues; ValueId = valueId; }
            }
            public class DisplayedValueUpdated : DisplayEvent
            {
                public DisplayedValueUpdated(object value, string valueId, Commands.KernelCommand command, IReadOnlyCollection<Formatting.FormattedValue> formattedValues = null)
                { FormattedValues = formattedValues; ValueId = valueId; }
            }
        }
        """;

    private readonly InteractiveProcess _process = new(package);

    private IReadOnlyList<string> Cells =>
    [
        .. File.ReadAllText(Path.Combine(package.Polyglot, "interactive-extensions", "dotnet", "extension.dib"))
            .Split("#!csharp", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
    ];

    public void Dispose() => _process.Dispose();

    [Fact]
    public void The_cells_are_scopes_without_usings_or_directives() => Assert.All(Cells, cell =>
    {
        Assert.StartsWith("{", cell);
        Assert.EndsWith("}", cell);
        Assert.DoesNotContain("#!", cell);
        Assert.DoesNotContain("using ", cell);
    });

    [Fact]
    public void The_cells_load_the_extension_and_add_the_magics()
    {
        var context = Run(times: 1, out dynamic kernel);

        var names = ((IEnumerable<object>)kernel.KernelInfo.SupportedDirectives).Select(directive => (string)((dynamic)directive).Name);
        Assert.Equal(["#!toolkit-doctor", "#!toolkit-memory", "#!toolkit-plotly"], names);
        var shown = Shown(context);
        Assert.Equal(2, shown.Count);
        Assert.Contains("libtorch", shown[0].Plain);
        Assert.All(names, name => Assert.Contains(name, shown[1].Plain));
    }

    [Theory]
    [InlineData("#!toolkit-memory", "process, resident")]
    [InlineData("#!toolkit-doctor", "Read bandwidth")]
    [InlineData("#!toolkit-plotly", "plotly.js")]
    public async Task A_magic_shows_what_it_says(string name, string expected)
    {
        var context = Run(times: 1, out dynamic kernel);
        Clear(context);

        foreach (var added in kernel.Added)
        {
            if (added.Item1.Name == name)
            {
                await (Task)added.Item2((dynamic)((dynamic)context).Command, (dynamic)context);
            }
        }

        Assert.Contains(expected, Assert.Single(Shown(context)).Plain);
    }

    [Fact]
    public void A_live_output_is_produced_once_and_then_updated()
    {
        var context = Run(times: 1, out _);
        Clear(context);
        var handle = Toolkit.Display.Output.Show(1);
        handle.Update(2);

        Assert.Equal([("1", "DisplayedValueProduced", handle.Id), ("2", "DisplayedValueUpdated", handle.Id)], Shown(context));
    }

    [Fact]
    public void Loading_twice_adds_no_magic_twice()
    {
        Run(times: 2, out dynamic kernel);

        Assert.Equal(3, kernel.Added.Count);
    }

    private object Run(int times, out object kernel)
    {
        var host = _process.LoadFromStream(Compile("Microsoft.DotNet.Interactive", Host));
        var methods = string.Concat(Cells.Select((cell, index) => $"public static void Cell{index}()\n{cell}\n"));
        var script = _process.LoadFromStream(Compile("script", $"public static class Script {{ {methods} }}", MetadataReference.CreateFromStream(Compile("Microsoft.DotNet.Interactive", Host)),
            MetadataReference.CreateFromFile(_process.Extension.Location)));
        for (var run = 0; run < times; run++)
        {
            foreach (var cell in script.GetType("Script")!.GetMethods(BindingFlags.Public | BindingFlags.Static))
            {
                cell.Invoke(null, null);
            }
        }

        kernel = host.GetType("Microsoft.DotNet.Interactive.Kernel")!.GetProperty("Root")!.GetValue(null)!;
        return host.GetType("Microsoft.DotNet.Interactive.KernelInvocationContext")!.GetProperty("Current")!.GetValue(null)!;
    }

    private static void Clear(dynamic context) => context.Published.Clear();

    private static IReadOnlyList<(string Plain, string Type, string Id)> Shown(object context)
    {
        var shown = new List<(string, string, string)>();
        foreach (var happened in ((dynamic)context).Published)
        {
            foreach (var value in happened.FormattedValues)
            {
                if (value.MimeType == "text/plain")
                {
                    shown.Add(((string)value.Value, (string)happened.GetType().Name, (string)happened.ValueId));
                }
            }
        }

        return shown;
    }

    private static MemoryStream Compile(string name, string source, params MetadataReference[] more)
    {
        var platform = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is var file && (file.StartsWith("System.", StringComparison.Ordinal) || file is "netstandard.dll" or "Toolkit.dll"))
            .Select(path => (MetadataReference)MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create(name, [CSharpSyntaxTree.ParseText(source)], [.. platform, .. more], new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
        var image = new MemoryStream();
        var result = compilation.Emit(image);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)));
        image.Position = 0;
        return image;
    }
}
