using System.Text;

namespace Toolkit.Text;

/// <summary>
/// Cuts a template into tokens, with the white space rules of chat templates: the line end after a block is dropped (trim_blocks), so is the indentation
/// before one (lstrip_blocks), and a minus beside a delimiter drops all white space on its side.
/// </summary>
internal sealed class TemplateLexer(string source)
{
    private static readonly string[] _symbols = ["**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|"];

    private readonly List<TemplateToken> _tokens = [];
    private int _at;
    private int _line = 1;
    private bool _trimNext;
    private bool _dropLineEnd;

    /// <summary>The tokens, with an end after them.</summary>
    /// <exception cref="TemplateException">A delimiter or a string is not closed.</exception>
    public List<TemplateToken> Read()
    {
        while (_at < source.Length)
        {
            var open = FindOpening();
            AddText(open);
            if (open >= source.Length)
            {
                break;
            }

            var kind = source[open + 1];
            var marked = open + 2 < source.Length && source[open + 2] is '-' or '+';
            Move(open + (marked && kind != '#' ? 3 : 2));
            if (kind == '#')
            {
                Comment();
            }
            else
            {
                Code(kind == '{');
            }
        }

        _tokens.Add(new(TemplateTokenKind.End, "the end", _line));
        return _tokens;
    }

    private int FindOpening()
    {
        for (var i = source.IndexOf('{', _at); i >= 0 && i + 1 < source.Length; i = source.IndexOf('{', i + 1))
        {
            if (source[i + 1] is '{' or '%' or '#')
            {
                return i;
            }
        }

        return source.Length;
    }

    private void AddText(int end)
    {
        var text = source[_at..end];
        if (_trimNext)
        {
            text = text.TrimStart();
        }
        else if (_dropLineEnd)
        {
            text = text.StartsWith("\r\n", StringComparison.Ordinal) ? text[2..] : text.StartsWith('\n') ? text[1..] : text;
        }

        if (end == source.Length)
        {
            // The line end that closes the file belongs to the file.
            text = text.EndsWith('\n') ? text[..^(text.EndsWith("\r\n", StringComparison.Ordinal) ? 2 : 1)] : text;
        }
        else if (end + 2 < source.Length && source[end + 2] == '-')
        {
            text = text.TrimEnd();
        }
        else if (source[end + 1] != '{' && !(end + 2 < source.Length && source[end + 2] == '+'))
        {
            text = WithoutIndentation(text, end);
        }

        if (text.Length > 0)
        {
            _tokens.Add(new(TemplateTokenKind.Text, text, _line));
        }

        Move(end);
        (_trimNext, _dropLineEnd) = (false, false);
    }

    /// <summary>Drops spaces between the beginning of a line and the block.</summary>
    private string WithoutIndentation(string text, int end)
    {
        var begin = end;
        while (begin > 0 && source[begin - 1] is ' ' or '\t')
        {
            begin--;
        }

        var starts = begin == 0 || source[begin - 1] == '\n';
        return starts ? text[..^Math.Min(text.Length, end - begin)] : text;
    }

    private void Comment()
    {
        var close = source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (close < 0)
        {
            throw Problem("a comment is not closed");
        }

        _trimNext = source[close - 1] == '-';
        _dropLineEnd = true;
        Move(close + 2);
    }

    private void Code(bool output)
    {
        _tokens.Add(new(output ? TemplateTokenKind.OutputBegin : TemplateTokenKind.BlockBegin, output ? "{{" : "{%", _line));
        var depth = 0;
        var close = output ? "}}" : "%}";
        while (true)
        {
            while (_at < source.Length && char.IsWhiteSpace(source[_at]))
            {
                Move(_at + 1);
            }

            if (_at >= source.Length)
            {
                throw Problem($"'{close}' is missing");
            }

            var sign = source[_at] is '-' or '+' ? 1 : 0;
            if (depth == 0 && string.CompareOrdinal(source, _at + sign, close, 0, 2) == 0)
            {
                _trimNext = source[_at] == '-';
                _dropLineEnd = !output && source[_at] != '+';
                _tokens.Add(new(output ? TemplateTokenKind.OutputEnd : TemplateTokenKind.BlockEnd, close, _line));
                Move(_at + sign + 2);
                return;
            }

            var token = Next();
            depth += token.Kind != TemplateTokenKind.Symbol ? 0 : token.Value is "{" or "(" or "[" ? 1 : token.Value is "}" or ")" or "]" ? -1 : 0;
            _tokens.Add(token);
        }
    }

    private TemplateToken Next()
    {
        var (begin, line, first) = (_at, _line, source[_at]);
        if (first is '"' or '\'')
        {
            return new(TemplateTokenKind.String, String(first), line);
        }

        if (char.IsAsciiDigit(first))
        {
            while (_at < source.Length && (char.IsAsciiLetterOrDigit(source[_at]) || source[_at] == '_' || (source[_at] == '.' && _at + 1 < source.Length && char.IsAsciiDigit(source[_at + 1]))))
            {
                Move(_at + 1);
            }

            return new(TemplateTokenKind.Number, source[begin.._at].Replace("_", "", StringComparison.Ordinal), line);
        }

        if (char.IsLetter(first) || first == '_')
        {
            while (_at < source.Length && (char.IsLetterOrDigit(source[_at]) || source[_at] == '_'))
            {
                Move(_at + 1);
            }

            return new(TemplateTokenKind.Name, source[begin.._at], line);
        }

        var symbol = Array.Find(_symbols, symbol => string.CompareOrdinal(source, begin, symbol, 0, symbol.Length) == 0) ?? throw Problem($"'{first}' is not expected here");
        Move(_at + symbol.Length);
        return new(TemplateTokenKind.Symbol, symbol, line);
    }

    private string String(char quote)
    {
        var text = new StringBuilder();
        for (Move(_at + 1); _at < source.Length; Move(_at + 1))
        {
            var character = source[_at];
            if (character == quote)
            {
                Move(_at + 1);
                return text.ToString();
            }

            if (character != '\\' || _at + 1 >= source.Length)
            {
                text.Append(character);
                continue;
            }

            Move(_at + 1);
            text.Append(source[_at] switch
            {
                'n' => "\n",
                't' => "\t",
                'r' => "\r",
                'b' => "\b",
                'f' => "\f",
                '0' => "\0",
                'u' => Escaped(4),
                'x' => Escaped(2),
                '\\' or '\'' or '"' => source[_at].ToString(),
                '\n' => "",
                var other => "\\" + other,
            });
        }

        throw Problem("a string is not closed");
    }

    private string Escaped(int digits)
    {
        if (_at + digits >= source.Length || !ushort.TryParse(source.AsSpan(_at + 1, digits), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var value))
        {
            throw Problem($"an escape of {digits} hexadecimal digits is cut short");
        }

        Move(_at + digits);
        return ((char)value).ToString();
    }

    private void Move(int to)
    {
        to = Math.Min(to, source.Length);
        _line += source.AsSpan(_at, to - _at).Count('\n');
        _at = to;
    }

    private TemplateException Problem(string what) => new($"line {_line} of the chat template: {what}");
}
