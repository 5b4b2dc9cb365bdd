using Toolkit.Display;

namespace Toolkit.Notebook;

/// <summary>Runs a <c>.csx</c> file as dotnet-script does: <c>Args</c>, a first line for the shell, console in and out, an exit code.</summary>
internal static class ScriptRun
{
    // The names that dotnet-script's scripts find without asking.
    private static readonly string[] _imports = ["System.Console", "System.Dynamic", "System.Linq.Expressions"];

    /// <summary>Whether the file is a script.</summary>
    public static bool IsScript(string path) => Path.GetExtension(path).ToLowerInvariant() is ".csx" or ".cs";

    /// <summary>Runs it. Returns the script's own exit code (an int that it returns), 1 where it fails, 2 where it cannot be read.</summary>
    public static async Task<int> Execute(string path, IReadOnlyList<string> arguments, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        string code;
        try
        {
            code = await File.ReadAllTextAsync(path, CancellationToken.None);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            error.WriteLine($"{path}: cannot be read: {problem.Message}");
            return 2;
        }

        var (input, host) = (Console.In, Output.Host);
        using var session = new ScriptSession { Imports = _imports, Arguments = [.. arguments], ReadLine = input.ReadLine };
        // The value of a script's last expression is its exit code, if it is one; it is not shown.
        var failed = await session.Run(new RunCell(code, 1) { File = Path.GetFullPath(path) }, Take, cancellation: cancellation);
        output.Flush();
        return failed is not null ? 1 : session.LastResult is int exitCode ? exitCode : 0;

        void Take(SessionEvent happened)
        {
            switch (happened)
            {
                case TextWritten text:
                    (text.Stream == "stderr" ? error : output).Write(text.Text);
                    break;
                case ValueDisplayed display:
                    host.Display(display.Bundle, display.DisplayId, display.Update);
                    break;
                case CellFailed failure:
                    error.WriteLine(failure.Error.Report);
                    break;
            }
        }
    }
}
