using CsCheck;
using Toolkit.Notebook;
using Toolkit.Notebook.Repl;

namespace Notebook.Tests;

public sealed class ReplTests
{
    [Fact]
    public void EnterEndsWhatIsCompleteAndIndentsWhatIsNot()
    {
        Assert.Equal("int Twice(int x)\n{\n    return 2 * x;\n}", Type("int Twice(int x)\r{\rreturn 2 * x;\r}\r"));
    }

    [Fact]
    public void HistoryIsRecalledAndKeptAcrossSessions()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("history");
        var history = new InputHistory(file);
        history.Add("first");
        history.Add("second\nline");
        history.Add("second\nline");
        File.AppendAllText(file, "\"cut o");
        var later = new InputHistory(file);
        Assert.Equal(["first", "second\nline"], later.Entries);
        Assert.Equal("second\nline", later.Previous());
        Assert.Equal("first", later.Previous());
        Assert.Null(later.Previous());
        Assert.Equal("second\nline", later.Next());
        Assert.Equal("", later.Next());
        Assert.Equal("first", Type([Key(ConsoleKey.UpArrow), Key(ConsoleKey.UpArrow), Key(ConsoleKey.UpArrow), Key(ConsoleKey.Enter, '\r')], new InputHistory(file)));
    }

    [Fact]
    public void TabTakesTheOnlyProposal() => Assert.Equal("Console", Type("Cons\t\r"));

    [Fact]
    public void ControlCStartsAnewAndControlDEnds()
    {
        Assert.Equal("2", Type([Key(ConsoleKey.D1, '1'), Key(ConsoleKey.C, '\u0003', control: true), Key(ConsoleKey.D2, '2'), Key(ConsoleKey.Enter, '\r')]));
        Assert.Null(Type([Key(ConsoleKey.D, '\u0004', control: true)]));
    }

    [Fact]
    public void TheCursorNeverLeavesTheText() => Gen.Int[0, 14].Array[0, 60].Sample(moves =>
    {
        var buffer = new EditBuffer();
        foreach (var move in moves)
        {
            Action act = move switch
            {
                0 => buffer.Left,
                1 => buffer.Right,
                2 => buffer.Up,
                3 => buffer.Down,
                4 => buffer.Home,
                5 => buffer.End,
                6 => buffer.Backspace,
                7 => buffer.Delete,
                8 => buffer.NewLine,
                9 => buffer.WordLeft,
                10 => buffer.WordRight,
                11 => buffer.DeleteWord,
                12 => () => buffer.Type('}'),
                13 => () => buffer.Insert("🙂{"),
                _ => () => buffer.Type('a'),
            };
            act();
            if (buffer.Cursor < 0 || buffer.Cursor > buffer.Text.Length || (buffer.Cursor > 0 && buffer.Cursor < buffer.Text.Length && char.IsSurrogatePair(buffer.Text[buffer.Cursor - 1], buffer.Text[buffer.Cursor])))
            {
                return false;
            }
        }

        return true;
    }, iter: 2000);

    [Fact]
    public async Task APipeRunsWholeInputsAndAChartLeavesAPage()
    {
        using var output = new StringWriter();
        using var input = new StringReader("var x = 20;\nint Twice(int a)\n{\n    return 2 * a;\n}\nConsole.WriteLine(Twice(x) + 2);\nthrow new Exception(\"end\");\nConsole.WriteLine(\"never\");");
        using var host = new ReplHost(output, TextReader.Null);
        Assert.Equal(1, await host.Run(() => ReplCommand.Piped(input), isPipe: true));
        Assert.StartsWith("42\n", output.ToString());
        Assert.Contains("Cell 4, line 1: System.Exception: end", output.ToString());
        Assert.DoesNotContain("never", output.ToString());
    }

    private static string? Type(string keys) => Type(keys.Select(character => character switch
    {
        '\r' => Key(ConsoleKey.Enter, '\r'),
        '\t' => Key(ConsoleKey.Tab, '\t'),
        _ => Key(ConsoleKey.None, character),
    }));

    private static string? Type(IEnumerable<ConsoleKeyInfo> keys, InputHistory? history = null)
    {
        var queue = new Queue<ConsoleKeyInfo>(keys);
        CompletionList Complete(string code, int position) => new(0, position, [.. new[] { "Console" }.Where(name => name.StartsWith(code[..position], StringComparison.Ordinal)).Select(name => new Completion(name, "class", ""))]);
        return new LineEditor(TextWriter.Null, queue.Dequeue, () => 80, CodeAssistant.IsComplete, Complete).Read(history ?? new InputHistory(null));
    }

    private static ConsoleKeyInfo Key(ConsoleKey key, char character = '\0', bool control = false) => new(character, key, shift: false, alt: false, control);
}
