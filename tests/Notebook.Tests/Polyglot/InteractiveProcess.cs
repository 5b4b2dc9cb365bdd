using System.Reflection;
using System.Runtime.ExceptionServices;
using System.Runtime.Loader;
using Toolkit.Display;

namespace Notebook.Tests.Polyglot;

/// <summary>
/// What .NET Interactive is to the extension: a load context with the packed assembly and the host's formatting library, and a place where
/// outputs go. Toolkit itself is that of the tests, so that both formatters can be asked about the same value.
/// </summary>
internal sealed class InteractiveProcess : AssemblyLoadContext, IDisposable
{
    private readonly IDisplayHost _previousHost = Output.Host;
    private readonly Assembly _formatting;
    private readonly string _packed;

    public InteractiveProcess(PackedExtension package)
        : base("interactive")
    {
        _packed = Path.Combine(package.Polyglot, "lib", "net10.0");
        _formatting = LoadFromAssemblyName(new AssemblyName("Microsoft.DotNet.Interactive.Formatting"));
        Extension = LoadFromAssemblyName(new AssemblyName("Toolkit.Polyglot"));
    }

    public static string HostFolder => Path.Combine(AppContext.BaseDirectory, "interactive");

    public Assembly Extension { get; }

    public List<(IReadOnlyDictionary<string, string> Parts, string Id, bool Update)> Shown { get; } = [];

    /// <summary>What the display does before it takes an output: the tests' way to let it fail.</summary>
    public Action? OnDisplay { get; set; }

    public CancellationToken Cancellation { get; set; }

    /// <summary>Whether a cell runs that could show something.</summary>
    public bool HasCell { get; set; } = true;

    public bool Load()
    {
        var load = Extension.GetType("Toolkit.Polyglot.Extension", throwOnError: true)!.GetMethod("Load")!;
        var display = Delegate.CreateDelegate(load.GetParameters()[0].ParameterType, this, nameof(Display));
        return (bool)Invoke(load, display, () => Cancellation)!;
    }

    /// <summary>What .NET Interactive writes for a value.</summary>
    public string Format(object value, string mime) => (string)Invoke(Formatter.GetMethod("ToDisplayString", [typeof(object), typeof(string)])!, value, mime)!;

    public IReadOnlyCollection<string> MimeTypes(Type type) => (IReadOnlyCollection<string>)Invoke(Formatter.GetMethod("GetPreferredMimeTypesFor")!, type)!;

    public void Dispose() => Output.Host = _previousHost;

    protected override Assembly? Load(AssemblyName name) =>
        new[] { _packed, HostFolder }.Select(folder => Path.Combine(folder, $"{name.Name}.dll")).FirstOrDefault(File.Exists) is { } file ? LoadFromAssemblyPath(file) : null;

    private Type Formatter => _formatting.GetType("Microsoft.DotNet.Interactive.Formatting.Formatter", throwOnError: true)!;

    private static object? Invoke(MethodInfo method, params object?[] arguments)
    {
        try
        {
            return method.Invoke(null, arguments);
        }
        catch (TargetInvocationException wrapped)
        {
            ExceptionDispatchInfo.Throw(wrapped.InnerException!);
            throw;
        }
    }

    private bool Display(IReadOnlyDictionary<string, string> parts, string displayId, bool update)
    {
        OnDisplay?.Invoke();
        if (HasCell)
        {
            Shown.Add((parts, displayId, update));
        }

        return HasCell;
    }
}
