namespace Toolkit.Graphs;

/// <summary>Kinds of words in the textual form of a graph.</summary>
internal enum GraphTextKind
{
    End,
    Symbol,
    Name,
    Value,
    Device,
    Number,
    Text,
}

/// <summary>A word in the textual form of a graph.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text: of a value without the percent sign, of a device without the at sign, of a quoted text what it stands for.</param>
/// <param name="Line">Its line, from 1.</param>
/// <param name="Column">Its column, from 1.</param>
internal readonly record struct GraphTextToken(GraphTextKind Kind, string Text, int Line, int Column)
{
    /// <summary>What an error says of it.</summary>
    public override string ToString() => Kind switch
    {
        GraphTextKind.End => "the end of the text",
        GraphTextKind.Value => $"%{Text}",
        GraphTextKind.Device => $"@{Text}",
        GraphTextKind.Text => $"the text \"{(Text.Length > 40 ? Text[..40] + "..." : Text)}\"",
        _ => Text,
    };
}
