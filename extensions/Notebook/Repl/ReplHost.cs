using Toolkit.Display;

namespace Toolkit.Notebook.Repl;

/// <summary>The prompt <c>toolkit repl</c>: an adapter of a <see cref="ScriptSession"/> to a terminal, or to a pipe.</summary>
internal sealed class ReplHost : IDisposable
{
    private readonly TextWriter _output;
    private readonly IDisplayHost _terminal = Output.Host;
    private readonly string _pages = Path.Combine(Path.GetTempPath(), $"toolkit-repl-{Guid.NewGuid():N}");
    private readonly Dictionary<string, string> _pageOf = [];
    private readonly ScriptSession _session;
    private CancellationTokenSource _interrupt = new();
    private int _cell;
    private int _page;

    public ReplHost(TextWriter output, TextReader input)
    {
        _output = output;
        _session = new ScriptSession { ReadLine = input.ReadLine };
    }

    /// <summary>Reads inputs until there are no more. The exit code is 1 where input was piped and one failed.</summary>
    /// <param name="read">Reads an input; null at the end.</param>
    /// <param name="isPipe">Whether nobody is there to see an error and go on.</param>
    public async Task<int> Run(Func<string?> read, bool isPipe)
    {
        while (read() is { } code)
        {
            if (code.Trim() is "exit" or "quit" or "#quit" or "#!quit")
            {
                break;
            }

            if (code.Trim().Length == 0)
            {
                continue;
            }

            _interrupt = new CancellationTokenSource();
            var error = await _session.Run(new RunCell(code, ++_cell), Happened, cancellation: _interrupt.Token);
            if (isPipe && error is not null)
            {
                return 1;
            }
        }

        return 0;
    }

    /// <summary>Ends what runs.</summary>
    public void Interrupt() => _interrupt.Cancel();

    public CompletionList Complete(string code, int position) => _session.Complete(code, position);

    public void Dispose() => _session.Dispose();

    private void Happened(SessionEvent happened)
    {
        switch (happened)
        {
            case TextWritten text:
                _output.Write(text.Text);
                _output.Flush();
                break;
            case ValueDisplayed display:
                _terminal.Display(WithLink(display.Bundle, display.DisplayId), display.DisplayId, display.Update);
                break;
            case ResultProduced result:
                _terminal.Display(WithLink(result.Bundle, $"result-{_cell}"), $"result-{_cell}", update: false);
                break;
            case CellFailed failed:
                _output.WriteLine(failed.Error.Report);
                break;
        }
    }

    /// <summary>A chart is text in a terminal; the real one waits in a file.</summary>
    private MimeBundle WithLink(MimeBundle bundle, string id)
    {
        if (!bundle.NeedsPlotly || bundle.Html is not { } html)
        {
            return bundle;
        }

        if (!_pageOf.TryGetValue(id, out var file))
        {
            Directory.CreateDirectory(_pages);
            _pageOf[id] = file = Path.Combine(_pages, $"chart-{++_page}.html");
        }

        File.WriteAllText(file, $"<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>Toolkit</title>{CellOutputs.LibraryScript(PlotlyScript.Source)}</head><body>{html}</body></html>");
        return MimeBundle.Text($"{bundle.Plain}\n{new Uri(file).AbsoluteUri}") with { Completion = bundle.Completion };
    }
}
