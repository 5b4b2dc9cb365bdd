using Spectre.Console;
using SpectreText = Spectre.Console.Text;

namespace Toolkit.Display;

/// <summary>Shows the plain-text representation on the terminal, through Spectre.Console. On an interactive terminal a live output is rewritten in place; elsewhere (a log, a pipe) it is written again every tenth of its way and at its end.</summary>
internal sealed class TerminalHost(IAnsiConsole? console = null) : IDisplayHost
{
    private readonly IAnsiConsole _console = console ?? AnsiConsole.Console;
    private readonly Dictionary<string, int> _tenths = [];
    private readonly Lock _gate = new();
    private string _lastId = "";
    private int _lastRows;
    private bool _midLine;

    public void Display(MimeBundle bundle, string displayId, bool update)
    {
        lock (_gate)
        {
            var live = _console.Profile.Capabilities is { Interactive: true, Ansi: true };
            if (update && !live && !IsDue(bundle, displayId))
            {
                return;
            }

            _tenths[displayId] = Tenth(bundle);
            if (_midLine)
            {
                _console.WriteLine();
            }

            if (update && live && _lastId == displayId && !_midLine && _lastRows > 0 && _lastRows < _console.Profile.Height)
            {
                _console.Cursor.MoveUp(_lastRows);
                _console.Write(new ControlCode("\r\u001b[0J"));
            }

            if (live)
            {
                _console.Write(new SpectreText(bundle.Plain));
                _console.WriteLine();
            }
            else
            {
                _console.Profile.Out.Writer.WriteLine(bundle.Plain); // a file has no width at which lines would have to end
            }

            (_lastId, _lastRows, _midLine) = (displayId, Rows(bundle.Plain), false);
            if (bundle.Completion is null)
            {
                _tenths.Remove(displayId);
            }
        }
    }

    public void Write(string text)
    {
        lock (_gate)
        {
            if (text.Length > 0)
            {
                _console.Profile.Out.Writer.Write(text);
                _console.Profile.Out.Writer.Flush();
                (_lastId, _midLine) = ("", text[^1] != '\n');
            }
        }
    }

    private static int Tenth(MimeBundle bundle) => (int)(10 * (bundle.Completion ?? 1));

    private bool IsDue(MimeBundle bundle, string displayId) =>
        bundle.Completion is null || !_tenths.TryGetValue(displayId, out var shown) || Tenth(bundle) > shown;

    /// <summary>Rows that the text takes on this terminal, wrapped lines included.</summary>
    private int Rows(string text) => text.Split('\n').Sum(line => Math.Max(1, (line.Length + _console.Profile.Width - 1) / Math.Max(1, _console.Profile.Width)));
}
