using Toolkit.Display;

namespace Toolkit.Notebook.Magics;

/// <summary>The lines <c>#!name</c> that a cell may hold.</summary>
internal static class SessionCommands
{
    public const string Time = "time";
    public const string Who = "who";
    public const string Whos = "whos";
    public const string List = "lsmagic";
    public const string Import = "import";

    private static readonly (string Name, string Text)[] _known =
    [
        ("csharp", "the lines that follow are C#"),
        ("html", "the lines that follow are shown as HTML"),
        ("javascript", "the lines that follow run in the browser"),
        ("markdown", "the lines that follow are shown as Markdown"),
        ("svg", "the lines that follow are shown as a drawing"),
        (Import, "runs the cells of an .ipynb, .dib, .csx or .cs file here"),
        (List, "this list"),
        (Time, "shows how long the cell took"),
        (Who, "lists the variables"),
        (Whos, "lists the variables with type, shape, bytes and value"),
    ];

    /// <summary>All names.</summary>
    public static IEnumerable<string> Names => _known.Select(command => command.Name);

    /// <summary>The list that <c>#!lsmagic</c> shows.</summary>
    public static TableView Table() => new(["command", "what it does"], _known.Select(command => (IReadOnlyList<object?>)[$"#!{command.Name}", command.Text]));

    /// <summary>Proposals for a command's name, or null where the position is not in one.</summary>
    public static CompletionList? Complete(string code, int position)
    {
        position = Math.Clamp(position, 0, code.Length);
        var start = position == 0 ? 0 : code.LastIndexOf('\n', position - 1) + 1;
        var typed = code[start..position];
        return typed.StartsWith("#!", StringComparison.Ordinal) && !typed.Contains(' ', StringComparison.Ordinal)
            ? new CompletionList(start, position, [.. _known.Where(command => $"#!{command.Name}".StartsWith(typed, StringComparison.OrdinalIgnoreCase)).Select(command => new Completion($"#!{command.Name}", "magic", command.Text))])
            : null;
    }
}
