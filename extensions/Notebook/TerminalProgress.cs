using System.Diagnostics;

namespace Toolkit.Notebook;

/// <summary>Shows a run on the terminal: which cell, its text as it comes, plain forms of what it shows. Live outputs are redrawn in place, or now and then where output is a file.</summary>
internal sealed class TerminalProgress(TextWriter output, bool redirected, TimeProvider time) : RunObserver
{
    private static readonly TimeSpan LivePause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan RedirectedPause = TimeSpan.FromSeconds(10);
    private readonly Lock _gate = new();
    private string? _liveId;
    private int _liveLines;
    private string? _pending;
    private long _drawn;
    private bool _inLine;

    public override void CellStarted(NotebookCell cell, int number, int count)
    {
        lock (_gate)
        {
            output.WriteLine(Colour("36", $"[{number}/{count}] {FirstLine(cell)}"));
            output.Flush();
        }
    }

    public override void Happened(SessionEvent happened)
    {
        lock (_gate)
        {
            switch (happened)
            {
                case TextWritten text:
                    EndLive();
                    output.Write(text.Text);
                    _inLine = !text.Text.EndsWith('\n');
                    break;
                case ValueDisplayed display:
                    ShowLive(display);
                    break;
                case ResultProduced result:
                    EndLive();
                    WriteBlock(result.Bundle.Plain);
                    break;
                case CellFailed failed:
                    EndLive();
                    EndLine();
                    output.WriteLine(Colour("31", failed.Error.Report));
                    break;
            }

            output.Flush();
        }
    }

    public override void CellEnded(NotebookCell cell, int number, TimeSpan elapsed, CellError? error)
    {
        lock (_gate)
        {
            EndLive();
            EndLine();
            output.WriteLine(Colour("2", $"      {(error is null ? "" : "failed after ")}{Seconds(elapsed)}"));
            output.Flush();
        }
    }

    public override void CellSkipped(NotebookCell cell, int number, string reason)
    {
        lock (_gate)
        {
            output.WriteLine($"[{number}] skipped: {reason}");
        }
    }

    internal static string Seconds(TimeSpan time) => time.TotalSeconds < 60 ? $"{time.TotalSeconds:0.0} s" : $"{(int)time.TotalMinutes} min {time.Seconds:00} s";

    private static string FirstLine(NotebookCell cell)
    {
        var line = cell.Source.Split('\n').Select(text => text.Trim()).FirstOrDefault(text => text.Length > 0 && !text.StartsWith("#r", StringComparison.Ordinal)) ?? "(empty)";
        return line.Length <= 100 ? line : line[..99] + "…";
    }

    private void ShowLive(ValueDisplayed display)
    {
        if (!display.Update || display.DisplayId != _liveId)
        {
            EndLive();
            WriteBlock(display.Bundle.Plain);
            (_liveId, _liveLines, _drawn) = (display.DisplayId, Count(display.Bundle.Plain), time.GetTimestamp());
            return;
        }

        _pending = display.Bundle.Plain;
        if (time.GetElapsedTime(_drawn) >= (redirected ? RedirectedPause : LivePause))
        {
            Redraw();
        }
    }

    private void Redraw()
    {
        if (_pending is null)
        {
            return;
        }

        if (!redirected)
        {
            output.Write($"\u001b[{_liveLines}F\u001b[J");
        }

        WriteBlock(_pending);
        (_liveLines, _pending, _drawn) = (Count(_pending), null, time.GetTimestamp());
    }

    private void EndLive()
    {
        Redraw();
        _liveId = null;
    }

    private void WriteBlock(string text)
    {
        EndLine();
        output.WriteLine(text.TrimEnd());
    }

    private void EndLine()
    {
        if (_inLine)
        {
            output.WriteLine();
            _inLine = false;
        }
    }

    private static int Count(string text) => text.TrimEnd().AsSpan().Count('\n') + 1;

    private string Colour(string code, string text) => redirected ? text : $"\u001b[{code}m{text}\u001b[0m";
}
