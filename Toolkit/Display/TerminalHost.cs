using Spectre.Console;

namespace Toolkit.Display;

/// <summary>Shows the plain-text representation on the terminal, through Spectre.Console. Updates of a live output are written only when they are final.</summary>
internal sealed class TerminalHost(IAnsiConsole? console = null) : IDisplayHost
{
    private readonly IAnsiConsole _console = console ?? AnsiConsole.Console;

    public void Display(MimeBundle bundle, string displayId, bool update) => _console.WriteLine(bundle.Plain);

    public void Write(string text) => _console.Write(text);
}
