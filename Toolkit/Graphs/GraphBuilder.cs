using System.Collections.Immutable;

namespace Toolkit.Graphs;

/// <summary>Makes a graph, operation after operation. A pass copies one graph into another with <see cref="Copy"/>, and puts something else where it knows better.</summary>
public sealed class GraphBuilder
{
    private readonly List<GraphInput> _inputs = [];
    private readonly List<Node> _nodes = [];
    private readonly HashSet<Value> _known = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Value, Value> _copies = new(ReferenceEqualityComparer.Instance);
    private int _next;

    /// <summary>Where the operations that are added next come from.</summary>
    public Origin Origin { get; set; } = Origin.None;

    /// <summary>The operations so far.</summary>
    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>The inputs so far.</summary>
    public IReadOnlyList<GraphInput> Inputs => _inputs;

    /// <summary>Adds an input.</summary>
    public GraphInput Input(TensorType type, GraphInputKind kind, string path)
    {
        var input = new GraphInput(NextName(), type, kind, path);
        _inputs.Add(input);
        _known.Add(input);
        return input;
    }

    /// <summary>Adds an operation with one output.</summary>
    /// <inheritdoc cref="Add(Operator, ImmutableArray{Argument}, TensorType[], Graph)"/>
    public Value Add(string name, params ReadOnlySpan<Argument> arguments) => Add(Operators.Get(name), WithDefaults(Operators.Get(name), arguments)).Output;

    /// <summary>Adds an operation.</summary>
    /// <param name="op">The operator.</param>
    /// <param name="arguments">One for each of its parameters.</param>
    /// <param name="types">Types of the outputs; default: what the operator infers.</param>
    /// <param name="body">What a fused operation consists of.</param>
    /// <exception cref="GraphException">The arguments do not fit the operator, or a value is not of this graph.</exception>
    public Node Add(Operator op, ImmutableArray<Argument> arguments, TensorType[]? types = null, Graph? body = null)
    {
        if (arguments.Length != op.Parameters.Length)
        {
            throw new GraphException($"{op.Name} has {op.Parameters.Length} parameters and was given {arguments.Length} arguments");
        }

        if (arguments.SelectMany(argument => argument.Values).FirstOrDefault(value => !_known.Contains(value)) is { } stranger)
        {
            throw new GraphException($"{op.Name} reads %{stranger.Name}, which is no value of this graph");
        }

        var outputs = (types ?? op.Infer(arguments)).Select(type => new Value(NextName(), type)).ToImmutableArray();
        var node = new Node(op, arguments, outputs, Origin, body);
        _nodes.Add(node);
        _known.UnionWith(outputs);
        return node;
    }

    /// <summary>The value of this graph that stands for a value of the graph that is being copied.</summary>
    /// <exception cref="GraphException">It was not copied yet.</exception>
    public Value Of(Value old) => _copies.TryGetValue(old, out var value) ? value : throw new GraphException($"%{old.Name} was not copied");

    /// <summary>Lets a value of this graph stand for one of the graph that is being copied.</summary>
    public void Replace(Value old, Value value) => _copies[old] = value;

    /// <summary>Copies the inputs of a graph.</summary>
    public void CopyInputs(Graph graph)
    {
        foreach (var input in graph.Inputs)
        {
            Replace(input, Input(input.Type, input.Kind, input.Path));
        }
    }

    /// <summary>Copies a node with what stands for its inputs.</summary>
    public Node Copy(Node node)
    {
        var before = Origin;
        Origin = node.Origin;
        var copy = Add(node.Operator, [.. node.Arguments.Select(argument => argument.Map(Of))], [.. node.Outputs.Select(output => output.Type)], node.Body);
        Origin = before;
        for (var i = 0; i < copy.Outputs.Length; i++)
        {
            Replace(node.Outputs[i], copy.Outputs[i]);
        }

        return copy;
    }

    /// <summary>The graph with these outputs.</summary>
    public Graph Build(IEnumerable<Value> outputs, IEnumerable<Mutation>? mutations = null) => new([.. _inputs], [.. _nodes], [.. outputs], [.. mutations ?? []]);

    /// <summary>The graph with what stands for the outputs and mutations of the one that was copied.</summary>
    public Graph BuildLike(Graph graph) =>
        Build(graph.Outputs.Select(Of), graph.Mutations.Select(mutation => new Mutation((GraphInput)Of(mutation.Target), Of(mutation.Value))));

    /// <summary>Arguments for all parameters of an operator: those given, then defaults.</summary>
    /// <exception cref="GraphException">One is missing that has no default, or there are too many.</exception>
    public static ImmutableArray<Argument> WithDefaults(Operator op, params ReadOnlySpan<Argument> arguments)
    {
        if (arguments.Length > op.Parameters.Length)
        {
            throw new GraphException($"{op.Name} has {op.Parameters.Length} parameters and was given {arguments.Length} arguments");
        }

        var all = ImmutableArray.CreateBuilder<Argument>(op.Parameters.Length);
        all.AddRange(arguments);
        foreach (var parameter in op.Parameters.Skip(arguments.Length))
        {
            all.Add(parameter.Default ?? throw new GraphException($"{op.Name} was not given \"{parameter.Name}\""));
        }

        return all.ToImmutable();
    }

    private string NextName() => (_next++).ToString(System.Globalization.CultureInfo.InvariantCulture);
}
