using System.Collections.Immutable;

namespace Toolkit.Graphs.Capture;

/// <summary>A graph for any sizes, known from graphs for some: their operations are the same, and their integers are <see cref="SizeForm"/>s.</summary>
internal sealed class SizedGraph
{
    private readonly Graph _graph;
    private readonly SizeForm?[][] _inputs; // by input, by dimension; null for what never changes
    private readonly SizeForm?[][][] _arguments; // by node, by argument, by number
    private readonly SizeReal?[][] _reals; // by node, by argument; null for what never changes
    private readonly SizeForm?[][]?[] _outputs; // by node, of what only running it tells
    private readonly SizePoints _points;
    private readonly Graph[] _graphs;

    private SizedGraph(SizePoints points, Graph[] graphs, SizeReal?[][] reals)
    {
        (_points, _graphs, _graph, _reals) = (points, graphs, graphs[0], reals);
        _inputs = [.. Enumerable.Range(0, _graph.Inputs.Length).Select(i => Forms(graphs, graph => [.. graph.Inputs[i].Type.Shape]))];
        _arguments = [.. Enumerable.Range(0, _graph.Nodes.Length).Select(n => Enumerable.Range(0, _graph.Nodes[n].Arguments.Length).Select(a => Forms(graphs, graph => Integers(graph.Nodes[n].Arguments[a]))).ToArray())];
        _outputs = [.. Enumerable.Range(0, _graph.Nodes.Length).Select(n => _graph.Nodes[n].Operator.CanInfer ? null
            : Enumerable.Range(0, _graph.Nodes[n].Outputs.Length).Select(i => Forms(graphs, graph => [.. graph.Nodes[n].Outputs[i].Type.Shape])).ToArray())];
    }

    /// <summary>The graph that graphs for some sizes are; null where they differ in more than integers, and real numbers that the program computed of them.</summary>
    public static SizedGraph? Of(SizePoints points, Graph[] graphs, SizeReals reals)
    {
        if (!graphs.Skip(1).All(graph => IsAlike(graphs[0], graph, exactly: false)))
        {
            return null;
        }

        var found = new SizeReal?[graphs[0].Nodes.Length][];
        for (var n = 0; n < found.Length; n++)
        {
            found[n] = new SizeReal?[graphs[0].Nodes[n].Arguments.Length];
            for (var a = 0; a < found[n].Length; a++)
            {
                if (graphs[0].Nodes[n].Arguments[a] is not FloatArgument)
                {
                    continue;
                }

                var bits = Array.ConvertAll(graphs, graph => BitConverter.DoubleToInt64Bits(((FloatArgument)graph.Nodes[n].Arguments[a]).Number));
                if (Array.Exists(bits, own => own != bits[0]) && (found[n][a] = reals.Find(bits)) is null)
                {
                    return null;
                }
            }
        }

        return new(points, graphs, found);
    }

    /// <summary>Whether integers depend on parts of sizes: where the program divides none, something else does, and may round.</summary>
    public bool HasParts => _inputs.Concat(_arguments.SelectMany(forms => forms)).Concat(_outputs.SelectMany(forms => forms ?? [])).SelectMany(forms => forms).Any(form => form is { HasParts: true });

    /// <summary>Whether two graphs do the same.</summary>
    /// <param name="a">The first.</param>
    /// <param name="b">The second.</param>
    /// <param name="exactly">Whether with the same sizes and integers.</param>
    public static bool IsAlike(Graph a, Graph b, bool exactly)
    {
        if (a.Inputs.Length != b.Inputs.Length || a.Nodes.Length != b.Nodes.Length || a.Outputs.Length != b.Outputs.Length || !a.Mutations.IsEmpty || !b.Mutations.IsEmpty)
        {
            return false;
        }

        var places = a.Values.Zip(b.Values).ToDictionary(pair => pair.First, pair => pair.Second, (IEqualityComparer<Value>)ReferenceEqualityComparer.Instance);
        return a.Inputs.Zip(b.Inputs).All(pair => pair.First.Kind == pair.Second.Kind && pair.First.Path == pair.Second.Path)
            && a.Nodes.Zip(b.Nodes).All(pair => pair.First.Operator.IsSame(pair.Second.Operator) && pair.First.Outputs.Length == pair.Second.Outputs.Length && pair.First.Arguments.Zip(pair.Second.Arguments).All(own => IsSame(own.First, own.Second)))
            && a.Values.Zip(b.Values).All(pair => IsLike(pair.First.Type, pair.Second.Type))
            && a.Outputs.Zip(b.Outputs).All(pair => places[pair.First] == pair.Second);

        bool IsLike(TensorType first, TensorType second) =>
            exactly ? first == second : first.DType == second.DType && first.Device == second.Device && first.Shape.Count == second.Shape.Count;

        bool IsSame(Argument first, Argument second) => (first, second) switch
        {
            (IntegerArgument, IntegerArgument) or (FloatArgument, FloatArgument) when !exactly => true,
            (IntegersArgument one, IntegersArgument other) when !exactly => one.Numbers.Length == other.Numbers.Length,
            _ => first.Values.All(places.ContainsKey) && first.Map(value => places[value]).Equals(second),
        };
    }

    /// <summary>The graph for some sizes; null where there is none.</summary>
    /// <param name="sizes">The sizes.</param>
    /// <param name="read">Values whose shape the program read, by their place: they must be what follows from what they were.</param>
    /// <param name="difference">Why there is none although the operations can be done: they would be others.</param>
    public Graph? At(long[] sizes, IEnumerable<int> read, out string? difference)
    {
        difference = null;
        try
        {
            var builder = new GraphBuilder();
            for (var i = 0; i < _inputs.Length; i++)
            {
                var input = _graph.Inputs[i];
                builder.Replace(input, builder.Input(input.Type with { Shape = Shape.Create(Numbers(_inputs[i], [.. input.Type.Shape], sizes)) }, input.Kind, input.Path));
            }

            for (var n = 0; n < _arguments.Length; n++)
            {
                var node = _graph.Nodes[n];
                var arguments = node.Arguments.Select((argument, a) => (_reals[n][a] is { } real ? Real(real, sizes) : Argument(argument, _arguments[n][a], sizes)).Map(builder.Of)).ToImmutableArray();
                builder.Origin = node.Origin;
                var types = node.Operator.CanInfer ? node.Operator.Infer(arguments) : [.. node.Outputs.Select((output, i) => output.Type with { Shape = Shape.Create(Numbers(_outputs[n]![i], [.. output.Type.Shape], sizes)) })];
                var copy = builder.Add(node.Operator, arguments, types);
                if (copy.Outputs.Length != node.Outputs.Length)
                {
                    difference = $"{node.Operator.Name} makes {copy.Outputs.Length} parts instead of {node.Outputs.Length}";
                    return null;
                }

                for (var i = 0; i < copy.Outputs.Length; i++)
                {
                    if (copy.Outputs[i].Type is var type && (type.DType != node.Outputs[i].Type.DType || type.Device != node.Outputs[i].Type.Device))
                    {
                        return null;
                    }

                    builder.Replace(node.Outputs[i], copy.Outputs[i]);
                }
            }

            var graph = builder.Build(_graph.Outputs.Select(builder.Of));
            var (made, seen) = (graph.Values.ToArray(), _graphs.Select(own => own.Values.ToArray()).ToArray());
            return read.All(place => Numbers(Forms(seen, values => [.. values[place].Type.Shape]), [.. seen[0][place].Type.Shape], sizes).AsSpan().SequenceEqual(made[place].Type.Shape.ToArray())) ? graph : null;
        }
        catch (Exception problem) when (problem is GraphException or ArgumentException or OverflowException)
        {
            return null;
        }
    }

    private SizeForm?[] Forms<T>(T[] graphs, Func<T, long[]> numbers)
    {
        var all = Array.ConvertAll(graphs, graph => numbers(graph));
        return [.. Enumerable.Range(0, all[0].Length).Select(i => new SizeForm(_points, Array.ConvertAll(all, own => own[i]))).Select(form => form.IsConstant ? null : form)];
    }

    private static long[] Numbers(SizeForm?[] forms, long[] numbers, long[] sizes) =>
        [.. numbers.Select((number, i) => forms[i] is { } form ? form.At(sizes) ?? throw new GraphException("a number would not be whole") : number)];

    private static long[] Integers(Argument argument) => argument switch
    {
        IntegerArgument integer => [integer.Number],
        IntegersArgument integers => [.. integers.Numbers],
        _ => [],
    };

    private static Argument Real(SizeReal real, long[] sizes) => new FloatArgument(real.At(sizes) ?? throw new GraphException("a number would not be whole"));

    private static Argument Argument(Argument argument, SizeForm?[] forms, long[] sizes) => Array.TrueForAll(forms, form => form is null) ? argument
        : argument is IntegerArgument ? new IntegerArgument(Numbers(forms, Integers(argument), sizes)[0]) : new IntegersArgument([.. Numbers(forms, Integers(argument), sizes)]);
}
