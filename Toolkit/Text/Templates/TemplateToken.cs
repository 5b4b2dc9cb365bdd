namespace Toolkit.Text;

/// <summary>A part of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Value">Its text; of a string literal what it stands for.</param>
/// <param name="Line">The line it is in, from 1 on.</param>
internal readonly record struct TemplateToken(TemplateTokenKind Kind, string Value, int Line)
{
    public bool Is(string symbol) => Kind is TemplateTokenKind.Symbol or TemplateTokenKind.Name && Value == symbol;
}

/// <summary>The kinds of parts of a template.</summary>
internal enum TemplateTokenKind
{
    Text,
    OutputBegin,
    OutputEnd,
    BlockBegin,
    BlockEnd,
    Name,
    Number,
    String,
    Symbol,
    End,
}
