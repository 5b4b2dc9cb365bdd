using System.Globalization;

namespace Toolkit.Text;

/// <summary>Makes statements and expressions of the tokens of a template (Jinja's grammar, as far as chat templates use it).</summary>
internal sealed class TemplateParser(List<TemplateToken> tokens)
{
    private const int DeepestNesting = 200;
    private int _at;
    private int _depth;

    private TemplateToken Current => tokens[_at];

    /// <summary>The whole template.</summary>
    /// <exception cref="TemplateException">It is malformed.</exception>
    public TemplateNode Parse()
    {
        var body = Body();
        return Current.Kind == TemplateTokenKind.End ? body : throw Problem($"'{BlockName()}' is not expected here");
    }

    /// <summary>Statements up to a block that ends or continues the one around them.</summary>
    private BodyNode Body()
    {
        var parts = new List<TemplateNode>();
        while (Current.Kind != TemplateTokenKind.End)
        {
            if (Current.Kind == TemplateTokenKind.Text)
            {
                parts.Add(new TextNode(Take().Value));
            }
            else if (Current.Kind == TemplateTokenKind.OutputBegin)
            {
                var line = Take().Line;
                parts.Add(new OutputNode(Expression(), line));
                Expect(TemplateTokenKind.OutputEnd);
            }
            else if (BlockName() is var name && (name.StartsWith("end", StringComparison.Ordinal) || name is "else" or "elif"))
            {
                break;
            }
            else
            {
                parts.Add(Statement());
            }
        }

        return new(parts);
    }

    private string BlockName() => Current.Kind == TemplateTokenKind.BlockBegin ? tokens[_at + 1].Value : Current.Value;

    private TemplateNode Statement()
    {
        using var _ = Nest();
        Expect(TemplateTokenKind.BlockBegin);
        var name = Take();
        return name.Value switch
        {
            "if" => If(),
            "for" => For(),
            "set" => Set(),
            "macro" => Macro(),
            "call" => Call(),
            "filter" => FilterBlock(),
            "break" => Ended(new LoopJumpNode(true)),
            "continue" => Ended(new LoopJumpNode(false)),
            // What the assistant writes, marked for training: it changes nothing in the text.
            "generation" => Enclosed("endgeneration"),
            "do" => Ended(new OutputNode(Expression(), name.Line, Silent: true)),
            _ => throw new TemplateException($"line {name.Line} of the chat template: '{name.Value}' is not supported"),
        };
    }

    private IfNode If()
    {
        var condition = Expression();
        Expect(TemplateTokenKind.BlockEnd);
        var then = Body();
        if (Current.Kind == TemplateTokenKind.End)
        {
            throw Problem("'endif' is missing");
        }

        Expect(TemplateTokenKind.BlockBegin);
        var name = Take();
        switch (name.Value)
        {
            case "elif":
                using (Nest())
                {
                    return new(condition, then, If());
                }

            case "else":
                Expect(TemplateTokenKind.BlockEnd);
                var otherwise = Body();
                End("endif");
                return new(condition, then, otherwise);
            case "endif":
                Expect(TemplateTokenKind.BlockEnd);
                return new(condition, then, null);
            default:
                throw Problem($"'endif' is missing before '{name.Value}'");
        }
    }

    private ForNode For()
    {
        var targets = Targets();
        ExpectSymbol("in");
        var line = Current.Line;
        var items = Ternary(withIf: false);
        var condition = Accept("if") ? Expression() : null;
        Expect(TemplateTokenKind.BlockEnd);
        var body = Body();
        TemplateNode? otherwise = null;
        if (BlockName() == "else")
        {
            Expect(TemplateTokenKind.BlockBegin);
            Take();
            Expect(TemplateTokenKind.BlockEnd);
            otherwise = Body();
        }

        End("endfor");
        return new(targets, items, condition, body, otherwise, line);
    }

    private TemplateNode Set()
    {
        var line = Current.Line;
        var targets = Targets();
        var field = targets.Length == 1 && Accept(".") ? Expect(TemplateTokenKind.Name).Value : null;
        if (Accept("="))
        {
            var value = TupleExpression();
            Expect(TemplateTokenKind.BlockEnd);
            return new SetNode(targets, field, value, null, line);
        }

        Expect(TemplateTokenKind.BlockEnd);
        var body = Body();
        End("endset");
        return new SetNode(targets, field, null, body, line);
    }

    private MacroNode Macro()
    {
        var name = Expect(TemplateTokenKind.Name).Value;
        ExpectSymbol("(");
        var parameters = Parameters();
        Expect(TemplateTokenKind.BlockEnd);
        var body = Body();
        End("endmacro");
        return new(name, parameters, body);
    }

    private CallNode Call()
    {
        var parameters = Accept("(") ? Parameters() : [];
        var line = Current.Line;
        var call = Expression() as CallExpression ?? throw Problem("a macro must be called here");
        Expect(TemplateTokenKind.BlockEnd);
        var body = Body();
        End("endcall");
        return new(call, new MacroNode("caller", parameters, body), line);
    }

    private FilterBlockNode FilterBlock()
    {
        var line = Current.Line;
        var name = Expect(TemplateTokenKind.Name).Value;
        var arguments = Accept("(") ? Arguments() : [];
        Expect(TemplateTokenKind.BlockEnd);
        var body = Body();
        End("endfilter");
        return new(name, arguments, body, line);
    }

    private TemplateNode Enclosed(string end)
    {
        Expect(TemplateTokenKind.BlockEnd);
        var body = Body();
        End(end);
        return body;
    }

    private TemplateNode Ended(TemplateNode node)
    {
        Expect(TemplateTokenKind.BlockEnd);
        return node;
    }

    private void End(string name)
    {
        if (Current.Kind != TemplateTokenKind.BlockBegin || BlockName() != name)
        {
            throw Problem($"'{name}' is missing before '{BlockName()}'");
        }

        _at += 2;
        Expect(TemplateTokenKind.BlockEnd);
    }

    private string[] Targets()
    {
        var bracket = Accept("(");
        var names = new List<string> { Expect(TemplateTokenKind.Name).Value };
        while (Accept(","))
        {
            names.Add(Expect(TemplateTokenKind.Name).Value);
        }

        if (bracket)
        {
            ExpectSymbol(")");
        }

        return [.. names];
    }

    private List<(string Name, TemplateExpression? Default)> Parameters()
    {
        var parameters = new List<(string, TemplateExpression?)>();
        while (!Accept(")"))
        {
            var name = Expect(TemplateTokenKind.Name).Value;
            parameters.Add((name, Accept("=") ? Expression() : null));
            if (!Current.Is(")"))
            {
                ExpectSymbol(",");
            }
        }

        return parameters;
    }

    private TemplateExpression TupleExpression()
    {
        var first = Expression();
        if (!Current.Is(","))
        {
            return first;
        }

        var items = new List<TemplateExpression> { first };
        while (Accept(","))
        {
            items.Add(Expression());
        }

        return new ListExpression(items);
    }

    private TemplateExpression Expression() => Ternary(withIf: true);

    private TemplateExpression Ternary(bool withIf)
    {
        using var _ = Nest();
        var value = Or();
        while (withIf && Accept("if"))
        {
            var condition = Or();
            value = new ConditionExpression(condition, value, Accept("else") ? Expression() : null);
        }

        return value;
    }

    private TemplateExpression Or()
    {
        var left = And();
        while (Accept("or"))
        {
            left = new LogicExpression(left, And(), Either: true);
        }

        return left;
    }

    private TemplateExpression And()
    {
        var left = Not();
        while (Accept("and"))
        {
            left = new LogicExpression(left, Not(), Either: false);
        }

        return left;
    }

    private TemplateExpression Not()
    {
        using var _ = Nest();
        return Accept("not") ? new NotExpression(Not()) : Comparison();
    }

    private TemplateExpression Comparison()
    {
        var left = Concatenation();
        TemplateExpression? chain = null;
        while (true)
        {
            var line = Current.Line;
            string operation;
            if (Current.Is("not") && tokens[_at + 1].Is("in"))
            {
                (_at, operation) = (_at + 2, "not in");
            }
            else if (Current is { Kind: TemplateTokenKind.Symbol, Value: "==" or "!=" or "<" or ">" or "<=" or ">=" } || Current.Is("in"))
            {
                operation = Take().Value;
            }
            else
            {
                return chain ?? left;
            }

            // a < b < c means a < b and b < c.
            var right = Concatenation();
            var link = new BinaryExpression(operation, left, right, line);
            chain = chain is null ? link : new LogicExpression(chain, link, Either: false);
            left = right;
        }
    }

    private TemplateExpression Concatenation() => Binary(Sum, "~");

    private TemplateExpression Sum() => Binary(Product, "+", "-");

    private TemplateExpression Product() => Binary(Unary, "*", "/", "//", "%");

    private TemplateExpression Binary(Func<TemplateExpression> part, params string[] operations)
    {
        var left = part();
        while (Current.Kind == TemplateTokenKind.Symbol && operations.Contains(Current.Value))
        {
            var operation = Take();
            left = new BinaryExpression(operation.Value, left, part(), operation.Line);
        }

        return left;
    }

    private TemplateExpression Unary()
    {
        using var _ = Nest();
        var line = Current.Line;
        if (Accept("-"))
        {
            return new BinaryExpression("-", new LiteralExpression(0L), Unary(), line);
        }

        if (Accept("+"))
        {
            return Unary();
        }

        var value = Postfix(Primary());
        return Accept("**") ? new BinaryExpression("**", value, Unary(), line) : value;
    }

    private TemplateExpression Postfix(TemplateExpression value)
    {
        while (true)
        {
            var line = Current.Line;
            if (Accept("."))
            {
                value = Current.Kind == TemplateTokenKind.Number ? new ItemExpression(value, new LiteralExpression(Number(Take().Value)), line)
                    : new AttributeExpression(value, Expect(TemplateTokenKind.Name).Value, line);
            }
            else if (Accept("["))
            {
                value = Subscript(value, line);
            }
            else if (Accept("("))
            {
                value = new CallExpression(value, Arguments(), line);
            }
            else if (Accept("|"))
            {
                var name = Expect(TemplateTokenKind.Name).Value;
                value = new FilterExpression(value, name, Accept("(") ? Arguments() : [], line);
            }
            else if (Accept("is"))
            {
                value = Test(value, line);
            }
            else
            {
                return value;
            }
        }
    }

    private TemplateExpression Subscript(TemplateExpression value, int line)
    {
        var parts = new TemplateExpression?[3];
        var colons = 0;
        while (!Accept("]"))
        {
            if (Accept(":"))
            {
                colons++;
            }
            else
            {
                parts[Math.Min(colons, 2)] = Expression();
            }

            if (colons > 2 || Current.Kind == TemplateTokenKind.OutputEnd || Current.Kind == TemplateTokenKind.BlockEnd)
            {
                throw Problem("']' is missing");
            }
        }

        return colons > 0 ? new SliceExpression(value, parts[0], parts[1], parts[2], line)
            : new ItemExpression(value, parts[0] ?? throw Problem("there is nothing between [ and ]"), line);
    }

    private TemplateExpression Test(TemplateExpression value, int line)
    {
        var negated = Accept("not");
        var name = Expect(TemplateTokenKind.Name).Value;
        List<(string? Name, TemplateExpression Value)> arguments = [];
        if (Accept("("))
        {
            arguments = Arguments();
        }
        else if (Current.Kind is TemplateTokenKind.String or TemplateTokenKind.Number || (Current.Kind == TemplateTokenKind.Name && Current.Value is not ("and" or "or" or "not" or "is" or "if" or "else" or "in")))
        {
            arguments.Add((null, Postfix(Primary())));
        }

        TemplateExpression test = new TestExpression(value, name, arguments, line);
        return negated ? new NotExpression(test) : test;
    }

    private List<(string? Name, TemplateExpression Value)> Arguments()
    {
        var arguments = new List<(string?, TemplateExpression)>();
        while (!Accept(")"))
        {
            string? name = null;
            if (Current.Kind == TemplateTokenKind.Name && tokens[_at + 1].Is("="))
            {
                name = Take().Value;
                Take();
            }

            arguments.Add((name, Expression()));
            if (!Current.Is(")"))
            {
                ExpectSymbol(",");
            }
        }

        return arguments;
    }

    private TemplateExpression Primary()
    {
        using var _ = Nest();
        var token = Take();
        switch (token.Kind)
        {
            case TemplateTokenKind.String:
                var text = token.Value;
                while (Current.Kind == TemplateTokenKind.String)
                {
                    text += Take().Value;
                }

                return new LiteralExpression(text);
            case TemplateTokenKind.Number:
                return new LiteralExpression(Number(token.Value));
            case TemplateTokenKind.Name:
                return token.Value switch
                {
                    "true" or "True" => new LiteralExpression(true),
                    "false" or "False" => new LiteralExpression(false),
                    "none" or "None" or "null" => new LiteralExpression(null),
                    var name => new NameExpression(name),
                };
            case TemplateTokenKind.Symbol when token.Value == "(":
                return Bracketed();
            case TemplateTokenKind.Symbol when token.Value == "[":
                return new ListExpression(Items("]"));
            case TemplateTokenKind.Symbol when token.Value == "{":
                return Map();
            default:
                throw new TemplateException($"line {token.Line} of the chat template: '{token.Value}' is not expected here");
        }
    }

    private TemplateExpression Bracketed()
    {
        if (Accept(")"))
        {
            return new ListExpression([]);
        }

        var first = Expression();
        if (Accept(")"))
        {
            return first;
        }

        ExpectSymbol(",");
        return new ListExpression([first, .. Items(")")]);
    }

    private List<TemplateExpression> Items(string close)
    {
        var items = new List<TemplateExpression>();
        while (!Accept(close))
        {
            items.Add(Expression());
            if (!Current.Is(close))
            {
                ExpectSymbol(",");
            }
        }

        return items;
    }

    private MapExpression Map()
    {
        var items = new List<(TemplateExpression, TemplateExpression)>();
        while (!Accept("}"))
        {
            var key = Expression();
            ExpectSymbol(":");
            items.Add((key, Expression()));
            if (!Current.Is("}"))
            {
                ExpectSymbol(",");
            }
        }

        return new(items);
    }

    private object Number(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var whole) ? (object)whole
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : throw Problem($"'{text}' is no number");

    private TemplateToken Take() => Current.Kind == TemplateTokenKind.End ? throw Problem("it ends too early") : tokens[_at++];

    private bool Accept(string symbol)
    {
        var found = Current.Is(symbol);
        _at += found ? 1 : 0;
        return found;
    }

    private void ExpectSymbol(string symbol)
    {
        if (!Accept(symbol))
        {
            throw Problem($"'{symbol}' is missing before '{Current.Value}'");
        }
    }

    private TemplateToken Expect(TemplateTokenKind kind) => Current.Kind == kind ? tokens[_at++] : throw Problem($"'{Current.Value}' is not expected here ({kind} is)");

    private TemplateException Problem(string what) => new($"line {Current.Line} of the chat template: {what}");

    /// <summary>Counts how deep the template is nested: a hostile one must not use up the stack.</summary>
    private Nesting Nest()
    {
        // One bracket is several levels of this parser.
        if (++_depth > DeepestNesting * 4)
        {
            throw Problem($"it is nested more than {DeepestNesting} deep");
        }

        return new(this);
    }

    private readonly struct Nesting(TemplateParser parser) : IDisposable
    {
        public void Dispose() => parser._depth--;
    }
}
