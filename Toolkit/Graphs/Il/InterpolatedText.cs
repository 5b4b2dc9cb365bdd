using System.Globalization;
using System.Text;

namespace Toolkit.Graphs.Il;

/// <summary>What stands for the handler of an interpolated string.</summary>
internal sealed class InterpolatedText
{
    private readonly StringBuilder _text = new();

    public void Append(string? literal) => _text.Append(literal);

    public void Append(object? value, int alignment, string? format) =>
        _text.AppendFormat(CultureInfo.CurrentCulture, $"{{0{(alignment == 0 ? "" : $",{alignment}")}{(format is null ? "" : ":" + format)}}}", value);

    public string ToStringAndClear()
    {
        var text = _text.ToString();
        _text.Clear();
        return text;
    }

    public override string ToString() => _text.ToString();
}
