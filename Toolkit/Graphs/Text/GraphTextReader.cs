using System.Collections.Immutable;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Reads the textual form of a graph. What every node is said to make is checked against its operator.</summary>
internal sealed class GraphTextReader
{
    private const int MostNested = 32;
    private readonly GraphTextCursor _text;

    /// <summary>For a text.</summary>
    public GraphTextReader(string text) => _text = new(text);

    /// <summary>Reads it.</summary>
    /// <exception cref="GraphException">It is no graph.</exception>
    public Graph Read()
    {
        var start = _text.Token;
        _text.ExpectName("graph");
        var graph = ReadGraph(0);
        if (_text.Token.Kind != GraphTextKind.End)
        {
            throw GraphTextCursor.Error(_text.Token, $"there is {_text.Token} behind the graph");
        }

        return Check(start, () =>
        {
            GraphVerifier.Verify(graph);
            return graph;
        });
    }

    /// <summary>Whatever an operator finds wrong with arguments, it is found at a place.</summary>
    private static T Check<T>(GraphTextToken token, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw GraphTextCursor.Error(token, exception.Message.Split('\n')[0], exception);
        }
    }

    private Graph ReadGraph(int depth)
    {
        if (depth > MostNested)
        {
            throw GraphTextCursor.Error(_text.Token, "bodies are nested too deeply");
        }

        _text.Expect("{");
        var values = new Dictionary<string, Value>(StringComparer.Ordinal);
        var (inputs, nodes, mutations) = (ImmutableArray.CreateBuilder<GraphInput>(), ImmutableArray.CreateBuilder<Node>(), ImmutableArray.CreateBuilder<Mutation>());
        while (true)
        {
            if (_text.TakeName("input"))
            {
                inputs.Add(ReadInput(values));
            }
            else if (_text.TakeName("mutate"))
            {
                mutations.Add(ReadMutation(values));
            }
            else if (_text.TakeName("return"))
            {
                Value[] outputs = _text.Token.Kind == GraphTextKind.Value ? [.. _text.List(() => Known(values))] : [];
                _text.Expect("}");
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
        var (at, name) = (_text.Token, _text.Take(GraphTextKind.Value, "a value"));
        _text.Expect(":");
        var type = ReadType();
        var kindAt = _text.Token;
        var kindName = _text.Take(GraphTextKind.Name, "argument, parameter or constant");
        GraphInputKind[] kinds = [.. Enum.GetValues<GraphInputKind>().Where(kind => GraphText.NameOf(kind) == kindName)];
        if (kinds.Length == 0)
        {
            throw GraphTextCursor.Error(kindAt, $"{kindName} stands where argument, parameter or constant is wanted");
        }

        var input = new GraphInput(name, type, kinds[0], _text.Take(GraphTextKind.Text, "a path in quotes"));
        Define(values, input, at);
        return input;
    }

    private Mutation ReadMutation(Dictionary<string, Value> values)
    {
        var at = _text.Token;
        var target = Known(values) as GraphInput ?? throw GraphTextCursor.Error(at, $"{at} is no input");
        _text.Expect("=");
        var valueAt = _text.Token;
        var value = Known(values);
        return value.Type == target.Type ? new(target, value) : throw GraphTextCursor.Error(valueAt, $"{value} is left in {target}");
    }

    private Node ReadNode(Dictionary<string, Value> values, int depth)
    {
        var places = new List<GraphTextToken>();
        var outputs = _text.Token is { Kind: GraphTextKind.Symbol, Text: "=" } ? [] : _text.List(() =>
        {
            places.Add(_text.Token);
            var name = _text.Take(GraphTextKind.Value, "input, mutate, return or a value");
            _text.Expect(":");
            return new Value(name, ReadType());
        });
        _text.Expect("=");
        var at = _text.Token;
        var opName = _text.Take(GraphTextKind.Name, "an operator");
        var op = Check(at, () => Operators.Get(opName));
        var arguments = ReadArguments(op, values);
        var body = _text.Token is { Kind: GraphTextKind.Symbol, Text: "{" } ? ReadGraph(depth + 1) : null;
        var node = new Node(op, arguments, [.. outputs], _text.ReadOrigin(), body);
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
        var at = _text.Token;
        _text.Expect("(");
        var arguments = ImmutableArray.CreateBuilder<Argument>();
        if (_text.Token is not { Kind: GraphTextKind.Symbol, Text: ")" })
        {
            _text.List(() =>
            {
                var parameter = arguments.Count < op.Parameters.Length ? op.Parameters[arguments.Count] : null;
                var argument = ReadArgument(parameter?.IsTensor == true, values);
                arguments.Add(argument);
                return argument;
            });
        }

        _text.Expect(")");
        return arguments.Count == op.Parameters.Length
            ? arguments.ToImmutable()
            : throw GraphTextCursor.Error(at, $"{op.Name} has {op.Parameters.Length} parameters and is given {arguments.Count} arguments");
    }

    private Argument ReadArgument(bool isTensor, Dictionary<string, Value> values)
    {
        var token = _text.Token;
        switch (token.Kind)
        {
            case GraphTextKind.Value:
                return Known(values);
            case GraphTextKind.Text:
                _text.Advance();
                return token.Text;
            case GraphTextKind.Device:
                _text.Advance();
                return new DeviceArgument(token.Text);
            case GraphTextKind.Number:
                _text.Advance();
                return Number(token);
            case GraphTextKind.Symbol when token.Text == "[":
                return ReadList(isTensor, values);
            case GraphTextKind.Name:
                _text.Advance();
                return token.Text switch
                {
                    "none" => NoArgument.Instance,
                    "true" => true,
                    "false" => false,
                    "NaN" => double.NaN,
                    "Infinity" => double.PositiveInfinity,
                    _ => DataTypes.Find(token.Text) ?? throw GraphTextCursor.Error(token, $"{token.Text} is no argument"),
                };
            default:
                throw GraphTextCursor.Error(token, $"{token} stands where an argument is wanted");
        }
    }

    private Argument ReadList(bool isTensor, Dictionary<string, Value> values)
    {
        _text.Expect("[");
        var (items, numbers) = (new List<Value?>(), new List<long>());
        if (_text.Token is not { Kind: GraphTextKind.Symbol, Text: "]" })
        {
            _text.List(() =>
            {
                var token = _text.Token;
                if (token.Kind == GraphTextKind.Number)
                {
                    numbers.Add(_text.Integer());
                }
                else
                {
                    items.Add(_text.TakeName("none") ? null : Known(values));
                }

                return items.Count > 0 && numbers.Count > 0 ? throw GraphTextCursor.Error(token, "numbers and values stand in one list") : token;
            });
        }

        _text.Expect("]");
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
            : throw GraphTextCursor.Error(token, $"{token.Text} is no number");
    }

    private TensorType ReadType()
    {
        var token = _text.Token;
        var type = DataTypes.Find(_text.Take(GraphTextKind.Name, "a type")) ?? throw GraphTextCursor.Error(token, $"{token.Text} is no type of values");
        _text.Expect("[");
        List<long> sizes = _text.Token.Kind == GraphTextKind.Number ? _text.List(_text.Integer) : [];
        _text.Expect("]");
        if (sizes.Exists(size => size < 0))
        {
            throw GraphTextCursor.Error(token, $"an extent of [{string.Join(", ", sizes)}] is negative");
        }

        var device = _text.Token.Kind == GraphTextKind.Device ? _text.Take(GraphTextKind.Device, "") : "cpu";
        return Check(token, () =>
        {
            var read = new TensorType(type, [.. sizes], device);
            return read.Bytes < 0 ? throw new OverflowException("a tensor is too large") : read;
        });
    }

    private static void Define(Dictionary<string, Value> values, Value value, GraphTextToken at)
    {
        if (!values.TryAdd(value.Name, value))
        {
            throw GraphTextCursor.Error(at, $"{at} is there twice");
        }
    }

    private Value Known(Dictionary<string, Value> values)
    {
        var token = _text.Token;
        var name = _text.Take(GraphTextKind.Value, "a value");
        return values.TryGetValue(name, out var value) ? value : throw GraphTextCursor.Error(token, $"{token} is not computed before");
    }
}
