using Plotly.NET;

namespace Toolkit.Display;

/// <summary>The plotly.js library that the Plotly.NET package carries: hosts embed it once a document, so that no chart needs a network.</summary>
public static class PlotlyScript
{
    private static readonly Lazy<string> Text = new(Read);

    /// <summary>The JavaScript source (about 3.6 MB), safe inside a <c>script</c> element. Loading it defines <c>window.Plotly</c>.</summary>
    /// <exception cref="InvalidOperationException">The Plotly.NET assembly carries no plotly.js.</exception>
    public static string Source => Text.Value;

    /// <summary>A <c>script</c> element with the whole library.</summary>
    public static string Element => ElementOf(Source);

    /// <summary>A <c>script</c> element that runs a library so that it defines itself on <c>window</c>, whatever the page is.</summary>
    /// <param name="source">The JavaScript.</param>
    // A page with a module loader (nbconvert has one, and .NET Interactive) would swallow the library: hide the loader from it.
    public static string ElementOf(string source) => $"<script>(function () {{ var define, module, exports;\n{source}\n}}).call(window);</script>";

    private static string Read()
    {
        var assembly = typeof(Trace).Assembly;
        var name = assembly.GetManifestResourceNames().FirstOrDefault(resource => resource.EndsWith(".min.js", StringComparison.Ordinal))
            ?? throw new InvalidOperationException($"{assembly.GetName()} carries no plotly.min.js among [{string.Join(", ", assembly.GetManifestResourceNames())}].");
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd().Replace("</script", "<\\/script", StringComparison.OrdinalIgnoreCase);
    }
}
