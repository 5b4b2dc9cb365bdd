using System.Runtime.CompilerServices;
using System.Text;
using Toolkit.Display;
using Toolkit.Native;

namespace Toolkit.Polyglot;

/// <summary>
/// Shows something in the running cell of .NET Interactive. The package's <c>extension.dib</c> is compiled by the host and hands this in, so
/// that this assembly needs no particular version of it.
/// </summary>
/// <param name="parts">MIME type to text.</param>
/// <param name="displayId">Identifies the output, so that it can be replaced later.</param>
/// <param name="update">True to replace the earlier output of this id.</param>
/// <returns>False where no cell is running, so that there is no place to show it.</returns>
public delegate bool InteractiveDisplay(IReadOnlyDictionary<string, string> parts, string displayId, bool update);

/// <summary>What <c>#r "nuget: Toolkit.Polyglot"</c> does in a notebook of .NET Interactive.</summary>
public static class Extension
{
    /// <summary>
    /// Registers Toolkit's formatters with .NET Interactive and lets <see cref="Output"/> show things there, live ones included. What goes wrong
    /// is shown in the cell: the host would swallow an exception. May be called again; the latest display counts.
    /// </summary>
    /// <param name="display">Shows in the running cell.</param>
    /// <param name="cancellation">The token of the running cell: verbs that show how far they are end when it is cancelled. Null: they do not.</param>
    /// <returns>Whether all of it worked; what did not has been shown.</returns>
    public static bool Load(InteractiveDisplay display, Func<CancellationToken>? cancellation = null)
    {
        ArgumentNullException.ThrowIfNull(display);
        try
        {
            return Connect(display, cancellation);
        }
        catch (Exception problem)
        {
            Report(display, $"Toolkit.Polyglot could not be loaded: {problem.Message}", problem);
            return false;
        }
    }

    // On its own, so that an assembly that cannot be found fails within the caller's try block.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Connect(InteractiveDisplay display, Func<CancellationToken>? cancellation)
    {
        FSharpCore.Watch();
        var host = new InteractiveHost(display, cancellation);
        Output.Host = host;
        InteractiveFormatters.Register(host);
        try
        {
            LibTorch.Load();
        }
        catch (LibTorchException problem)
        {
            Report(display, $"Toolkit is loaded, but libtorch is not: text and files work, tensors and models do not. {problem.Message}", problem);
            return false;
        }

        var version = typeof(Output).Assembly.GetName().Version?.ToString(3);
        host.Display(MimeBundle.Text($"Toolkit {version} with libtorch {LibTorch.Version ?? "of unknown version"} ({LibTorch.BackEnd}): its records, tensors, models and charts are shown here, live."), "toolkit-loaded", update: false);
        return true;
    }

    private static void Report(InteractiveDisplay display, string message, Exception problem)
    {
        var text = new StringBuilder(message).AppendLine().Append(problem).ToString();
        var parts = new Dictionary<string, string>
        {
            ["text/html"] = $"<div style=\"border-left:3px solid #cc545e;padding-left:.7em\"><b>{System.Net.WebUtility.HtmlEncode(message)}</b><details><summary>details</summary><pre>{System.Net.WebUtility.HtmlEncode(problem.ToString())}</pre></details></div>",
            ["text/plain"] = text,
        };
        try
        {
            if (display(parts, $"toolkit-problem-{Guid.NewGuid():N}", false))
            {
                return;
            }
        }
        catch (Exception second)
        {
            text += Environment.NewLine + second;
        }

        Console.Error.WriteLine(text);
    }
}
