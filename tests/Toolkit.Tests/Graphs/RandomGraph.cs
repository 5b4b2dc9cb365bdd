using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs;

/// <summary>Graphs built at random from a seed: views, operations in place, broadcasting, several types. The same seed, the same graph and the same inputs.</summary>
internal sealed partial class RandomGraph
{
    private static readonly string[] _unary = ["neg", "abs", "tanh", "sigmoid", "relu", "silu", "square", "cos", "erf", "exp2", "sqrt"];
    private readonly Random _random;
    private readonly GraphBuilder _builder = new();
    private readonly List<Value> _values = [];

    // Values that lie row after row whatever happens, so that a view of them is one.
    private readonly HashSet<Value> _contiguous = new(ReferenceEqualityComparer.Instance);

    // Values of which several places are one place in memory: nothing may be written there.
    private readonly HashSet<Value> _overlapping = new(ReferenceEqualityComparer.Instance);
    private readonly bool _inPlace;

    public RandomGraph(int seed, bool inPlace)
    {
        (_random, _inPlace) = (new(seed), inPlace);
        var inputs = _random.Next(2, 5);
        for (var i = 0; i < inputs; i++)
        {
            Shape shape = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => (long)_random.Next(1, 5))];
            var type = _random.Next(8) switch { 0 => ScalarType.Int64, 1 => ScalarType.Bool, < 5 => ScalarType.Float64, _ => ScalarType.Float32 };
            var input = _builder.Input(new(type, shape), (GraphInputKind)_random.Next(3), $"input{i}");
            _values.Add(input);
            _contiguous.Add(input);
        }

        for (var i = _random.Next(4, 18); i > 0; i--)
        {
            try
            {
                Step();
            }
            catch (GraphException)
            {
                // What was drawn does not fit: the next draw will.
            }
        }

        Graph = _builder.Build(Enumerable.Range(0, _random.Next(1, 4)).Select(i => i == 0 ? _values[^1] : Any()).Distinct());
    }

    public Graph Graph { get; }

    /// <summary>New inputs for the graph, the same each time.</summary>
    public Tensor[] Inputs(int seed) => [.. Graph.Inputs.Select((input, i) =>
    {
        using var generator = new Generator((ulong)((seed * 17) + i));
        return input.Type.DType switch
        {
            ScalarType.Bool => randint(0, 2, input.Type.Shape.ToArray(), generator: generator).to(ScalarType.Bool),
            ScalarType.Int64 => randint(-3, 4, input.Type.Shape.ToArray(), generator: generator),
            var type => randn(input.Type.Shape.ToArray(), generator: generator).to(type),
        };
    })];

    private static bool Floating(Value value) => TypePromotion.IsFloating(value.Type.DType);

    private void Step()
    {
        switch (_random.Next(_inPlace ? 13 : 11))
        {
            case 0 or 1:
                Add($"aten::{_unary[_random.Next(_unary.Length)]}", Of(Floating));
                break;
            case 2 or 3:
                Binary();
                break;
            case 4:
                Scalar();
                break;
            case 5 or 6:
                View();
                break;
            case 7:
                Reduce();
                break;
            case 8:
                Products();
                break;
            case 9:
                Copies();
                break;
            case 10:
                Several();
                break;
            default:
                InPlace();
                break;
        }
    }

    private void Written(Value x, string name, params Argument[] arguments) => Inherit(x, Add(name, arguments));

    private long[] Arranged(Shape shape) => _random.Next(3) switch
    {
        0 => [-1],
        1 => [.. shape.Reverse()],
        _ => [shape.Elements, 1],
    };

    private Value AddView(Value x, string name, params Argument[] arguments)
    {
        var view = Add(name, [x, .. arguments]);
        Inherit(x, view);
        return view;
    }

    private void Inherit(Value from, Value to)
    {
        if (_overlapping.Contains(from))
        {
            _overlapping.Add(to);
        }
    }

    private Value Add(string name, params Argument[] arguments) => Node(name, arguments).Outputs[0];

    private Node Node(string name, params Argument[] arguments)
    {
        var op = Operators.Get(name);
        var node = _builder.Add(op, GraphBuilder.WithDefaults(op, arguments));
        _values.AddRange(node.Outputs);
        return node;
    }

    private Value Any() => _values[_random.Next(_values.Count)];

    private Value Of(Func<Value, bool> fits)
    {
        Value[] all = [.. _values.Where(fits)];
        return all.Length > 0 ? all[_random.Next(all.Length)] : throw new GraphException("there is none");
    }
}
