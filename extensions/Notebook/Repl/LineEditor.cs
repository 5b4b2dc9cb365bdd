using System.Text;

namespace Toolkit.Notebook.Repl;

/// <summary>Reads one whole input from a terminal: several lines where the code asks for them, history by arrows, completion by Tab.</summary>
/// <param name="terminal">Where to draw: understands ANSI sequences.</param>
/// <param name="readKey">Reads a key without showing it.</param>
/// <param name="width">Columns of the terminal.</param>
/// <param name="isComplete">Whether Enter may end the input.</param>
/// <param name="complete">What could stand at a position.</param>
internal sealed class LineEditor(TextWriter terminal, Func<ConsoleKeyInfo> readKey, Func<int> width, Func<string, bool> isComplete, Func<string, int, CompletionList> complete)
{
    private const string Prompt = "> ";
    private const string Continuation = ". ";
    private const int MostProposals = 40;
    private readonly EditBuffer _buffer = new();
    private int _cursorRow;

    /// <summary>The input; null where the user ended the session (Ctrl-D in an empty line).</summary>
    public string? Read(InputHistory history)
    {
        _buffer.Set("");
        _cursorRow = 0;
        Draw();
        while (true)
        {
            var key = readKey();
            var control = key.Modifiers.HasFlag(ConsoleModifiers.Control);
            switch (key.Key)
            {
                case ConsoleKey.Enter when !key.Modifiers.HasFlag(ConsoleModifiers.Shift) && !key.Modifiers.HasFlag(ConsoleModifiers.Alt) && _buffer.IsInLastLine && isComplete(_buffer.Text):
                    _buffer.Set(_buffer.Text);
                    Draw();
                    terminal.Write("\r\n");
                    terminal.Flush();
                    return _buffer.Text;
                case ConsoleKey.Enter:
                    _buffer.NewLine();
                    break;
                case ConsoleKey.D when control && _buffer.Text.Length == 0:
                    terminal.Write("\r\n");
                    terminal.Flush();
                    return null;
                case ConsoleKey.C when control:
                    _buffer.Set(_buffer.Text);
                    Draw();
                    terminal.Write("^C\r\n");
                    _buffer.Set("");
                    _cursorRow = 0;
                    break;
                case ConsoleKey.L when control:
                    terminal.Write("\u001b[2J\u001b[H");
                    _cursorRow = 0;
                    break;
                case ConsoleKey.Tab:
                    Complete();
                    break;
                case ConsoleKey.UpArrow when _buffer.IsInFirstLine:
                    Recall(history.Previous());
                    break;
                case ConsoleKey.DownArrow when _buffer.IsInLastLine:
                    Recall(history.Next());
                    break;
                default:
                    Edit(key, control);
                    break;
            }

            Draw();
        }
    }

    private void Edit(ConsoleKeyInfo key, bool control)
    {
        switch (key.Key)
        {
            case ConsoleKey.UpArrow: _buffer.Up(); break;
            case ConsoleKey.DownArrow: _buffer.Down(); break;
            case ConsoleKey.LeftArrow when control: _buffer.WordLeft(); break;
            case ConsoleKey.RightArrow when control: _buffer.WordRight(); break;
            case ConsoleKey.LeftArrow: _buffer.Left(); break;
            case ConsoleKey.RightArrow: _buffer.Right(); break;
            case ConsoleKey.Home: _buffer.Home(); break;
            case ConsoleKey.End: _buffer.End(); break;
            case ConsoleKey.A when control: _buffer.Home(); break;
            case ConsoleKey.E when control: _buffer.End(); break;
            case ConsoleKey.K when control: _buffer.DeleteToLineEnd(); break;
            case ConsoleKey.U when control: _buffer.DeleteToLineStart(); break;
            case ConsoleKey.W when control: _buffer.DeleteWord(); break;
            case ConsoleKey.Backspace when control: _buffer.DeleteWord(); break;
            case ConsoleKey.Backspace: _buffer.Backspace(); break;
            case ConsoleKey.Delete: _buffer.Delete(); break;
            case ConsoleKey.D when control: _buffer.Delete(); break;
            default:
                if (key.KeyChar >= ' ' && key.KeyChar != '\u007f')
                {
                    _buffer.Type(key.KeyChar);
                }

                break;
        }
    }

    private void Recall(string? text)
    {
        if (text is not null)
        {
            _buffer.Set(text);
        }
    }

    /// <summary>One proposal is taken; of several, what they have in common, and then they are listed.</summary>
    private void Complete()
    {
        if (string.IsNullOrWhiteSpace(_buffer.Text.AsSpan(0, _buffer.Cursor)[(_buffer.Text.AsSpan(0, _buffer.Cursor).LastIndexOf('\n') + 1)..].ToString()))
        {
            _buffer.Insert("    ");
            return;
        }

        var found = complete(_buffer.Text, _buffer.Cursor);
        var typed = _buffer.Text[found.Start..found.End];
        var names = found.Items.Select(item => item.Text).ToArray();
        if (names.Length == 0)
        {
            return;
        }

        var shared = names.Aggregate((one, other) => one[..one.Zip(other).TakeWhile(pair => char.ToLowerInvariant(pair.First) == char.ToLowerInvariant(pair.Second)).Count()]);
        if (names.Length == 1 || shared.Length > typed.Length)
        {
            _buffer.Replace(found.Start, found.End, names.Length == 1 ? names[0] : shared);
            return;
        }

        Draw();
        terminal.Write($"\r\n{string.Join("  ", names.Take(MostProposals))}{(names.Length > MostProposals ? $"  … {names.Length - MostProposals} more" : "")}\r\n");
        _cursorRow = 0;
    }

    private void Draw()
    {
        var columns = Math.Max(20, width());
        var text = new StringBuilder();
        if (_cursorRow > 0)
        {
            text.Append($"\u001b[{_cursorRow}A");
        }

        text.Append("\r\u001b[0J");
        var lines = _buffer.Text.Split('\n');
        text.AppendJoin("\r\n", lines.Select((line, index) => $"\u001b[36m{(index == 0 ? Prompt : Continuation)}\u001b[0m{line}"));
        // Where the cursor is, counted in rows of the terminal; a full row's cursor waits at its end until the next character.
        var before = _buffer.Text[.._buffer.Cursor].Split('\n');
        var total = lines.Sum(line => Rows(line, columns));
        _cursorRow = before[..^1].Sum(line => Rows(line, columns)) + ((Prompt.Length + before[^1].Length) / columns);
        var column = (Prompt.Length + before[^1].Length) % columns;
        var lastRow = total - 1;
        if (_cursorRow > lastRow)
        {
            text.Append("\r\n");
            lastRow = _cursorRow;
        }

        if (lastRow > _cursorRow)
        {
            text.Append($"\u001b[{lastRow - _cursorRow}A");
        }

        text.Append('\r');
        if (column > 0)
        {
            text.Append($"\u001b[{column}C");
        }

        terminal.Write(text.ToString());
        terminal.Flush();
    }

    private static int Rows(string line, int columns) => Math.Max(1, (Prompt.Length + line.Length + columns - 1) / columns);
}
