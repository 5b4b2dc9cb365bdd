using System.Text.Json;

namespace Toolkit.Graphs;

/// <summary>Takes the textual form of a graph apart into words.</summary>
internal sealed class GraphTextLexer(string text)
{
    private int _position;
    private int _line = 1;
    private int _lineStart;

    /// <summary>The comment behind the last word, on its line and without the sharp; null where there is none.</summary>
    public (string Text, int Line, int Column)? Comment { get; private set; }

    /// <summary>The next word.</summary>
    public GraphTextToken Next()
    {
        SkipSpace();
        var (line, column) = (_line, _position - _lineStart + 1);
        if (_position == text.Length)
        {
            return new(GraphTextKind.End, "", line, column);
        }

        var c = text[_position];
        var (kind, word) = c switch
        {
            '%' => (GraphTextKind.Value, Word(1, IsNamePart)),
            '@' => (GraphTextKind.Device, Word(1, x => char.IsAsciiLetterOrDigit(x) || x == ':')),
            '"' => (GraphTextKind.Text, Quoted(line, column)),
            '-' or (>= '0' and <= '9') => (GraphTextKind.Number, Number()),
            _ when char.IsAsciiLetter(c) || c == '_' => (GraphTextKind.Name, Word(0, x => IsNamePart(x) || (x == ':' && IsInName()))),
            '(' or ')' or '[' or ']' or '{' or '}' or ',' or '=' or ':' => (GraphTextKind.Symbol, text[_position++].ToString()),
            _ => throw Error(line, column, $"nothing begins with '{c}'"),
        };
        if (word == "")
        {
            throw Error(line, column, $"a name is missing behind '{c}'");
        }

        ReadComment();
        return new(kind, kind == GraphTextKind.Text ? word[1..] : word, line, column);
    }

    /// <summary>An error at a place.</summary>
    public static GraphException Error(int line, int column, string message, Exception? inner = null)
    {
        var where = FormattableString.Invariant($"line {line}, column {column}: {message}");
        return inner is null ? new(where) : new(where, inner);
    }

    private static bool IsNamePart(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '.';

    /// <summary>Two colons are part of an operator's name, one is not.</summary>
    private bool IsInName() => text[_position - 1] == ':' || (_position + 1 < text.Length && text[_position + 1] == ':');

    private string Word(int skip, Func<char, bool> isPart)
    {
        _position += skip;
        var start = _position;
        while (_position < text.Length && isPart(text[_position]))
        {
            _position++;
        }

        return text[start.._position];
    }

    private string Number()
    {
        var start = _position++;
        while (_position < text.Length && (IsNamePart(text[_position]) || (text[_position] is '+' or '-' && (text[_position - 1] is 'E' or 'e'))))
        {
            _position++;
        }

        return text[start.._position];
    }

    private string Quoted(int line, int column)
    {
        var start = _position++;
        while (_position < text.Length && text[_position] is not ('"' or '\n'))
        {
            _position += text[_position] == '\\' ? 2 : 1;
        }

        if (_position >= text.Length || text[_position] == '\n')
        {
            throw Error(line, column, "a text has no end on its line");
        }

        _position++;
        try
        {
            return "\"" + JsonSerializer.Deserialize<string>(text.AsSpan(start, _position - start));
        }
        catch (JsonException exception)
        {
            throw Error(line, column, "a text cannot be read", exception);
        }
    }

    private void SkipSpace()
    {
        while (_position < text.Length && (char.IsWhiteSpace(text[_position]) || text[_position] == '#'))
        {
            if (text[_position] == '#')
            {
                _position = EndOfLine();
            }
            else if (text[_position++] == '\n')
            {
                _line++;
                _lineStart = _position;
            }
        }
    }

    private void ReadComment()
    {
        while (_position < text.Length && (text[_position] is ' ' or '\t' or '\r'))
        {
            _position++;
        }

        Comment = null;
        if (_position < text.Length && text[_position] == '#')
        {
            var start = _position + 1;
            _position = EndOfLine();
            Comment = (text[start.._position], _line, start - _lineStart + 1);
        }
    }

    private int EndOfLine() => text.IndexOf('\n', _position) is >= 0 and var end ? end : text.Length;
}
