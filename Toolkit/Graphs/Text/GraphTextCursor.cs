using System.Globalization;

namespace Toolkit.Graphs;

/// <summary>A place in the textual form of a graph, and what may be read there.</summary>
internal sealed class GraphTextCursor
{
    private readonly GraphTextLexer _lexer;
    private (string Text, int Line, int Column)? _comment;

    /// <summary>At the beginning of a text.</summary>
    public GraphTextCursor(string text)
    {
        _lexer = new(text);
        Token = _lexer.Next();
    }

    /// <summary>What stands here.</summary>
    public GraphTextToken Token { get; private set; }

    /// <summary>What is wrong at a place.</summary>
    public static GraphException Error(GraphTextToken token, string message, Exception? inner = null) => GraphTextLexer.Error(token.Line, token.Column, message, inner);

    /// <summary>Goes on to the next token.</summary>
    public void Advance()
    {
        _comment = _lexer.Comment;
        Token = _lexer.Next();
    }

    /// <summary>Goes on where a name stands here.</summary>
    public bool TakeName(string name)
    {
        var isThere = Token.Kind == GraphTextKind.Name && Token.Text == name;
        if (isThere)
        {
            Advance();
        }

        return isThere;
    }

    /// <summary>Goes on behind a name, which has to stand here.</summary>
    public void ExpectName(string name)
    {
        if (!TakeName(name))
        {
            throw Error(Token, $"{Token} stands where {name} is wanted");
        }
    }

    /// <summary>Goes on behind a symbol, which has to stand here.</summary>
    public void Expect(string symbol)
    {
        if (Token.Kind != GraphTextKind.Symbol || Token.Text != symbol)
        {
            throw Error(Token, $"{Token} stands where {symbol} is wanted");
        }

        Advance();
    }

    /// <summary>The text of a token of a kind, which has to stand here.</summary>
    public string Take(GraphTextKind kind, string wanted)
    {
        if (Token.Kind != kind)
        {
            throw Error(Token, $"{Token} stands where {wanted} is wanted");
        }

        var text = Token.Text;
        Advance();
        return text;
    }

    /// <summary>An integer, which has to stand here.</summary>
    public long Integer()
    {
        var token = Token;
        return long.TryParse(Take(GraphTextKind.Number, "an integer"), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw Error(token, $"{token.Text} stands where an integer is wanted");
    }

    /// <summary>One thing or several, with commas between.</summary>
    public List<T> List<T>(Func<T> item)
    {
        var items = new List<T> { item() };
        while (Token is { Kind: GraphTextKind.Symbol, Text: "," })
        {
            Advance();
            items.Add(item());
        }

        return items;
    }

    /// <summary>Where a node comes from stands in the comment behind it.</summary>
    public Origin ReadOrigin()
    {
        if (_comment is not { } comment || !comment.Text.TrimStart().StartsWith('"'))
        {
            return Origin.None;
        }

        var lexer = new GraphTextLexer(comment.Text);
        var words = new List<GraphTextToken>();
        try
        {
            for (var word = lexer.Next(); word.Kind != GraphTextKind.End; word = lexer.Next())
            {
                words.Add(word);
            }
        }
        catch (GraphException)
        {
            words.Clear();
        }

        return words switch
        {
            [{ Kind: GraphTextKind.Text } module, { Kind: GraphTextKind.Text } method] => new(module.Text, method.Text),
            [{ Kind: GraphTextKind.Text } module, { Kind: GraphTextKind.Text } method, { Kind: GraphTextKind.Text } file, { Text: ":" }, { Kind: GraphTextKind.Number } line]
                when int.TryParse(line.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) => new(module.Text, method.Text, file.Text == "" ? null : file.Text, number),
            _ => throw GraphTextLexer.Error(comment.Line, comment.Column, "module, method, file and line are wanted"),
        };
    }
}
