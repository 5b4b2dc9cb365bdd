using System.Collections.Immutable;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Reads the textual form of a graph. What every node is said to make is checked against its operator.</summary>
internal sealed class GraphTextReader
{
    private const int MostNested = 32;
    private readonly GraphTextLexer _lexer;
    private GraphTextToken _token;
    private (string Text, int Line, int Column)? _comment;

    /// <summary>For a text.</summary>
    public GraphTextReader(string text)
    {
        _lexer = new(text);
        _token = _lexer.Next();
    }

    /// <summary>Reads it.</summary>
    /// <exception cref="GraphException">It is no graph.</exception>
    public Graph Read()
    {
        var start = _token;
        ExpectName("graph");
        var graph = ReadGraph(0);
        if (_token.Kind != GraphTextKind.End)
        {
            throw Error(_token, $"there is {_token} behind the graph");
        }

        return Check(start, () =>
        {
            GraphVerifier.Verify(graph);
            return graph;
        });
    }

    private static GraphException Error(GraphTextToken token, string message, Exception? inner = null) => GraphTextLexer.Error(token.Line, token.Column, message, inner);

    /// <summary>Whatever an operator finds wrong with arguments, it is found at a place.</summary>
    private static T Check<T>(GraphTextToken token, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw Error(token, exception.Message.Split('\n')[0], exception);
        }
    }

    private Graph ReadGraph(int depth)
    {
        if (depth > MostNested)
        {
            throw Error(_token, "bodies are nested too deeply");
        }

        Expect("{");
        var values = new Dictionary<string, Value>(StringComparer.Ordinal);
        var (inputs, nodes, mutations) = (ImmutableArray.CreateBuilder<GraphInput>(), ImmutableArray.CreateBuilder<Node>(), ImmutableArray.CreateBuilder<Mutation>());
        while (true)
        {
            if (TakeName("input"))
            {
                inputs.Add(ReadInput(values));
            }
            else if (TakeName("mutate"))
            {
                mutations.Add(ReadMutation(values));
            }
            else if (TakeName("return"))
            {
                Value[] outputs = _token.Kind == GraphTextKind.Value ? [.. List(() => Known(values))] : [];
                Expect("}");
                return new(inputs.ToImmutable(), nodes.ToImmutable(), [.. outputs], mutations.ToImmutable());
            }
            else
            {
                nodes.Add(ReadNode(values, depth));
            }
        }
    }

    private GraphInput ReadInput(Dictionary<string, Value> values)
    {
        var (at, name) = (_token, Take(GraphTextKind.Value, "a value"));
        Expect(":");
        var type = ReadType();
        var kindAt = _token;
        var kindName = Take(GraphTextKind.Name, "argument, parameter or constant");
        GraphInputKind[] kinds = [.. Enum.GetValues<GraphInputKind>().Where(kind => GraphText.NameOf(kind) == kindName)];
        if (kinds.Length == 0)
        {
            throw Error(kindAt, $"{kindName} stands where argument, parameter or constant is wanted");
        }

        var input = new GraphInput(name, type, kinds[0], Take(GraphTextKind.Text, "a path in quotes"));
        Define(values, input, at);
        return input;
    }

    private Mutation ReadMutation(Dictionary<string, Value> values)
    {
        var at = _token;
        var target = Known(values) as GraphInput ?? throw Error(at, $"{at} is no input");
        Expect("=");
        var valueAt = _token;
        var value = Known(values);
        return value.Type == target.Type ? new(target, value) : throw Error(valueAt, $"{value} is left in {target}");
    }

    private Node ReadNode(Dictionary<string, Value> values, int depth)
    {
        var places = new List<GraphTextToken>();
        var outputs = _token is { Kind: GraphTextKind.Symbol, Text: "=" } ? [] : List(() =>
        {
            places.Add(_token);
            var name = Take(GraphTextKind.Value, "input, mutate, return or a value");
            Expect(":");
            return new Value(name, ReadType());
        });
        Expect("=");
        var at = _token;
        var opName = Take(GraphTextKind.Name, "an operator");
        var op = Check(at, () => Operators.Get(opName));
        var arguments = ReadArguments(op, values);
        var body = _token is { Kind: GraphTextKind.Symbol, Text: "{" } ? ReadGraph(depth + 1) : null;
        var node = new Node(op, arguments, [.. outputs], ReadOrigin(), body);
        Check(at, () =>
        {
            GraphVerifier.Verify(node);
            return node;
        });
        for (var i = 0; i < places.Count; i++)
        {
            Define(values, outputs[i], places[i]);
        }

        return node;
    }

    private ImmutableArray<Argument> ReadArguments(Operator op, Dictionary<string, Value> values)
    {
        var at = _token;
        Expect("(");
        var arguments = ImmutableArray.CreateBuilder<Argument>();
        if (_token is not { Kind: GraphTextKind.Symbol, Text: ")" })
        {
            List(() =>
            {
                var parameter = arguments.Count < op.Parameters.Length ? op.Parameters[arguments.Count] : null;
                var argument = ReadArgument(parameter?.IsTensor == true, values);
                arguments.Add(argument);
                return argument;
            });
        }

        Expect(")");
        return arguments.Count == op.Parameters.Length
            ? arguments.ToImmutable()
            : throw Error(at, $"{op.Name} has {op.Parameters.Length} parameters and is given {arguments.Count} arguments");
    }

    private Argument ReadArgument(bool isTensor, Dictionary<string, Value> values)
    {
        var token = _token;
        switch (token.Kind)
        {
            case GraphTextKind.Value:
                return Known(values);
            case GraphTextKind.Text:
                Advance();
                return token.Text;
            case GraphTextKind.Device:
                Advance();
                return new DeviceArgument(token.Text);
            case GraphTextKind.Number:
                Advance();
                return Number(token);
            case GraphTextKind.Symbol when token.Text == "[":
                return ReadList(isTensor, values);
            case GraphTextKind.Name:
                Advance();
                return token.Text switch
                {
                    "none" => NoArgument.Instance,
                    "true" => true,
                    "false" => false,
                    "NaN" => double.NaN,
                    "Infinity" => double.PositiveInfinity,
                    _ => DataTypes.Find(token.Text) ?? throw Error(token, $"{token.Text} is no argument"),
                };
            default:
                throw Error(token, $"{token} stands where an argument is wanted");
        }
    }

    private Argument ReadList(bool isTensor, Dictionary<string, Value> values)
    {
        Expect("[");
        var (items, numbers) = (new List<Value?>(), new List<long>());
        if (_token is not { Kind: GraphTextKind.Symbol, Text: "]" })
        {
            List(() =>
            {
                var token = _token;
                if (token.Kind == GraphTextKind.Number)
                {
                    numbers.Add(Integer());
                }
                else
                {
                    items.Add(TakeName("none") ? null : Known(values));
                }

                return items.Count > 0 && numbers.Count > 0 ? throw Error(token, "numbers and values stand in one list") : token;
            });
        }

        Expect("]");
        return items.Count > 0 || (isTensor && numbers.Count == 0) ? new ValuesArgument([.. items]) : new IntegersArgument([.. numbers]);
    }

    private static Argument Number(GraphTextToken token)
    {
        if (long.TryParse(token.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
        {
            return integer;
        }

        return token.Text == "-Infinity" ? double.NegativeInfinity
            : double.TryParse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) ? real
            : throw Error(token, $"{token.Text} is no number");
    }

    private TensorType ReadType()
    {
        var token = _token;
        var type = DataTypes.Find(Take(GraphTextKind.Name, "a type")) ?? throw Error(token, $"{token.Text} is no type of values");
        Expect("[");
        List<long> sizes = _token.Kind == GraphTextKind.Number ? List(Integer) : [];
        Expect("]");
        if (sizes.Exists(size => size < 0))
        {
            throw Error(token, $"an extent of [{string.Join(", ", sizes)}] is negative");
        }

        var device = _token.Kind == GraphTextKind.Device ? Take(GraphTextKind.Device, "") : "cpu";
        return Check(token, () =>
        {
            var read = new TensorType(type, [.. sizes], device);
            return read.Bytes < 0 ? throw new OverflowException("a tensor is too large") : read;
        });
    }

    /// <summary>Where a node comes from stands in the comment behind it.</summary>
    private Origin ReadOrigin()
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

    private static void Define(Dictionary<string, Value> values, Value value, GraphTextToken at)
    {
        if (!values.TryAdd(value.Name, value))
        {
            throw Error(at, $"{at} is there twice");
        }
    }

    private Value Known(Dictionary<string, Value> values)
    {
        var token = _token;
        var name = Take(GraphTextKind.Value, "a value");
        return values.TryGetValue(name, out var value) ? value : throw Error(token, $"{token} is not computed before");
    }

    private long Integer()
    {
        var token = _token;
        return long.TryParse(Take(GraphTextKind.Number, "an integer"), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw Error(token, $"{token.Text} stands where an integer is wanted");
    }

    private List<T> List<T>(Func<T> item)
    {
        var items = new List<T> { item() };
        while (_token is { Kind: GraphTextKind.Symbol, Text: "," })
        {
            Advance();
            items.Add(item());
        }

        return items;
    }

    private bool TakeName(string name)
    {
        var isThere = _token.Kind == GraphTextKind.Name && _token.Text == name;
        if (isThere)
        {
            Advance();
        }

        return isThere;
    }

    private void ExpectName(string name)
    {
        if (!TakeName(name))
        {
            throw Error(_token, $"{_token} stands where {name} is wanted");
        }
    }

    private string Take(GraphTextKind kind, string wanted)
    {
        if (_token.Kind != kind)
        {
            throw Error(_token, $"{_token} stands where {wanted} is wanted");
        }

        var text = _token.Text;
        Advance();
        return text;
    }

    private void Expect(string symbol)
    {
        if (_token.Kind != GraphTextKind.Symbol || _token.Text != symbol)
        {
            throw Error(_token, $"{_token} stands where {symbol} is wanted");
        }

        Advance();
    }

    private void Advance()
    {
        _comment = _lexer.Comment;
        _token = _lexer.Next();
    }
}
