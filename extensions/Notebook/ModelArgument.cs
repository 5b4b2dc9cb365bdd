using System.CommandLine;
using System.Runtime.InteropServices;
using Toolkit.Checkpoints;
using Toolkit.Display;

namespace Toolkit.Notebook;

/// <summary>How the commands are told a model: a path, or a name that is looked for in the cache of models and else downloaded.</summary>
internal static class ModelArgument
{
    public static Option<string> Revision() => new("--revision") { Description = "Branch, tag or commit of a model that is named.", DefaultValueFactory = _ => "main" };

    /// <summary>The folder or file; what is downloaded on the way is shown where problems are told, so that outputs stay what they are.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder, and it is no model's name.</exception>
    /// <exception cref="CheckpointException">The model is not there and cannot be downloaded.</exception>
    public static string Resolve(string model, string revision, ModelCache? cache, TextWriter problems, CancellationToken cancellation = default)
    {
        using var bar = new DownloadBar(Output.Terminal(problems));
        return (cache ?? ModelCache.FromEnvironment()).Resolve(model, revision, bar, cancellation);
    }

    /// <summary>Whether a problem is told in a line: one of the input, not of the program.</summary>
    public static bool IsOfInput(Exception problem) => problem is ArgumentException or IOException or UnauthorizedAccessException or InvalidDataException
        or NotSupportedException or InvalidOperationException or CheckpointException or Text.TemplateException or ExternalException;
}
