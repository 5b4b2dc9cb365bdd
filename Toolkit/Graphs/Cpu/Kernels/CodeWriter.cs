using System.Text;

namespace Toolkit.Graphs.Cpu;

/// <summary>Lines of C# with their indentation.</summary>
internal sealed class CodeWriter
{
    private readonly StringBuilder _text = new();
    private int _depth;

    /// <summary>A line.</summary>
    public void Line(string text = "") => _ = text == "" ? _text.Append('\n') : _text.Append(' ', 4 * _depth).Append(text).Append('\n');

    /// <summary>A line, then a block in braces.</summary>
    public void Block(string head, Action body)
    {
        Line(head);
        Line("{");
        _depth++;
        body();
        _depth--;
        Line("}");
    }

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();
}
