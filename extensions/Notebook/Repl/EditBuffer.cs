namespace Toolkit.Notebook.Repl;

/// <summary>The text that is being typed, over one or more lines, and the cursor in it. Knows no terminal.</summary>
internal sealed class EditBuffer
{
    /// <summary>The text; lines are divided by a line feed.</summary>
    public string Text { get; private set; } = "";

    /// <summary>The cursor: before this character.</summary>
    public int Cursor { get; private set; }

    /// <summary>Whether the cursor is in the first line.</summary>
    public bool IsInFirstLine => !Text.AsSpan(0, Cursor).Contains('\n');

    /// <summary>Whether the cursor is in the last line.</summary>
    public bool IsInLastLine => !Text.AsSpan(Cursor).Contains('\n');

    public void Set(string text) => (Text, Cursor) = (text, text.Length);

    public void Insert(string text) => Replace(Cursor, Cursor, text);

    public void Replace(int start, int end, string text)
    {
        Text = string.Concat(Text.AsSpan(0, start), text, Text.AsSpan(end));
        Cursor = start + text.Length;
    }

    /// <summary>A new line, indented like the one before it, and more behind an opening brace.</summary>
    public void NewLine()
    {
        var start = LineStart(Cursor);
        var indent = Text[start..Cursor].TakeWhile(character => character == ' ').Count();
        var deeper = Text[start..Cursor].TrimEnd().EndsWith('{') ? 4 : 0;
        Insert("\n" + new string(' ', indent + deeper));
    }

    /// <summary>Types a character; a closing brace that begins a line moves out by one step.</summary>
    public void Type(char character)
    {
        var start = LineStart(Cursor);
        if (character == '}' && Cursor - start >= 4 && string.IsNullOrWhiteSpace(Text[start..Cursor]))
        {
            Replace(Cursor - 4, Cursor, "");
        }

        Insert(character.ToString());
    }

    public void Backspace()
    {
        if (Cursor > 0)
        {
            Replace(Previous(Cursor), Cursor, "");
        }
    }

    public void Delete()
    {
        if (Cursor < Text.Length)
        {
            Replace(Cursor, Next(Cursor), "");
        }
    }

    public void DeleteWord() => Replace(WordStart(), Cursor, "");

    public void DeleteToLineEnd() => Replace(Cursor, LineEnd(Cursor), "");

    public void DeleteToLineStart() => Replace(LineStart(Cursor), Cursor, "");

    public void Left() => Cursor = Cursor > 0 ? Previous(Cursor) : 0;

    public void Right() => Cursor = Cursor < Text.Length ? Next(Cursor) : Cursor;

    public void WordLeft() => Cursor = WordStart();

    public void WordRight()
    {
        while (Cursor < Text.Length && !char.IsLetterOrDigit(Text[Cursor]))
        {
            Cursor++;
        }

        while (Cursor < Text.Length && char.IsLetterOrDigit(Text[Cursor]))
        {
            Cursor++;
        }
    }

    public void Home() => Cursor = LineStart(Cursor);

    public void End() => Cursor = LineEnd(Cursor);

    public void Up()
    {
        var start = LineStart(Cursor);
        if (start > 0)
        {
            var above = LineStart(start - 1);
            Cursor = Whole(Math.Min(above + (Cursor - start), start - 1));
        }
    }

    public void Down()
    {
        var (start, end) = (LineStart(Cursor), LineEnd(Cursor));
        if (end < Text.Length)
        {
            Cursor = Whole(Math.Min(end + 1 + (Cursor - start), LineEnd(end + 1)));
        }
    }

    private int LineStart(int from) => from == 0 ? 0 : Text.LastIndexOf('\n', from - 1) + 1;

    private int LineEnd(int from) => Text.IndexOf('\n', from) is var end and >= 0 ? end : Text.Length;

    private int WordStart()
    {
        var at = Cursor;
        while (at > 0 && !char.IsLetterOrDigit(Text[at - 1]))
        {
            at--;
        }

        while (at > 0 && char.IsLetterOrDigit(Text[at - 1]))
        {
            at--;
        }

        return at;
    }

    // A character outside the first plane is two units: the cursor never stands between them.
    private int Whole(int at) => at > 0 && at < Text.Length && char.IsSurrogatePair(Text[at - 1], Text[at]) ? at - 1 : at;

    private int Previous(int at) => at >= 2 && char.IsSurrogatePair(Text[at - 2], Text[at - 1]) ? at - 2 : at - 1;

    private int Next(int at) => at + 1 < Text.Length && char.IsSurrogatePair(Text[at], Text[at + 1]) ? at + 2 : at + 1;
}
