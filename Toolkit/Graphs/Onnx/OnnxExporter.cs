using Google.Protobuf;
using Onnx;
using Toolkit.Checkpoints;
using Toolkit.Graphs.Passes;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Writes graphs as ONNX models: opset 18, weights inside, parameters under their own names.</summary>
internal sealed partial class OnnxExporter
{
    private const int Opset = 18;
    private const int FormatVersion = 9;
    private readonly Graph _graph;
    private readonly GraphProto _proto = new() { Name = "graph" };
    private readonly OnnxEmitter _emitter;
    private readonly Dictionary<Value, string> _names = new(ReferenceEqualityComparer.Instance);
    private bool _isOutline;
    private readonly Dictionary<Value, Tensor> _constants = new(ReferenceEqualityComparer.Instance);

    private OnnxExporter(Graph graph)
    {
        (_graph, _emitter) = (Simplify(graph), new(_proto));
        FindConstants();
    }

    /// <summary>Writes a file.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="path">The file.</param>
    /// <param name="tensor">The tensor of an input by its place; null for an argument.</param>
    /// <param name="name">Name of an argument by its place; null for its path.</param>
    /// <param name="order">Where an argument stands among those of the call, by its place; null where they stand as in the graph.</param>
    /// <exception cref="GraphException">Some operators have no counterpart, the graph changes its inputs, or a weight is missing.</exception>
    public static void Export(Graph graph, string path, Func<int, Tensor?> tensor, Func<int, string?> name, Func<int, int>? order = null)
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        Save(new OnnxExporter(graph).Write(tensor, name, order), path, []);
    }

    private static void Save(GraphProto graph, string path, IReadOnlyList<(string Key, string Value)> properties)
    {
        var model = new ModelProto { IrVersion = FormatVersion, ProducerName = "Toolkit", ProducerVersion = typeof(Graph).Assembly.GetName().Version!.ToString(3), Graph = graph };
        model.MetadataProps.Add(properties.Select(property => new StringStringEntryProto { Key = property.Key, Value = property.Value }));
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = Opset });
        try
        {
            using var pending = PendingFile.Write(path, 0, file => model.WriteTo(file));
            pending.Commit();
        }
        catch (CheckpointException problem)
        {
            throw new GraphException($"ONNX export: {problem.Message}", problem);
        }
    }

    /// <summary>Pure, without repetitions, and of operators that there are rules for, as far as that goes.</summary>
    private static Graph Simplify(Graph graph)
    {
        var pure = PassPipeline.Standard.Run(graph);
        if (pure.Mutations.Length > 0)
        {
            throw new GraphException($"ONNX export: the graph changes {string.Join(", ", pure.Mutations.Select(mutation => mutation.Target.Path))}, which an ONNX model cannot do; call eval() on the module, or return the state");
        }

        string[] compound = [.. Decomposition.Available.Where(name => !OnnxRules.All.ContainsKey(name))];
        var whole = new PassPipeline(new Decomposition(compound), new CommonSubexpressions(), new DeadCodeElimination()).RunToEnd(pure);
        return whole;
    }

    private GraphProto Write(Func<int, Tensor?> tensor, Func<int, string?> name, Func<int, int>? order)
    {
        string[] missing = [.. _graph.Nodes.Where(node => !OnnxRules.All.ContainsKey(node.Operator.Name) && !node.Outputs.All(_constants.ContainsKey))
            .GroupBy(node => node.Operator.Name).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => Place(group.Key, group.First().Origin))];
        if (missing.Length > 0)
        {
            throw new GraphException($"ONNX export: these operators have no counterpart: {string.Join(", ", missing)}");
        }

        WriteInputs(tensor, name, order);
        foreach (var node in _graph.Nodes.Where(node => !node.Outputs.All(_constants.ContainsKey)))
        {
            _emitter.Origin = node.Origin;
            var names = OnnxRules.All[node.Operator.Name](new(_emitter, node, NameOf));
            for (var i = 0; i < names.Length; i++)
            {
                _names[node.Outputs[i]] = names[i];
            }
        }

        _emitter.Origin = Origin.None;
        for (var i = 0; i < _graph.Outputs.Length; i++)
        {
            var output = _emitter.Unique(_graph.Outputs.Length == 1 ? "output" : FormattableString.Invariant($"output{i}"));
            var node = new NodeProto { OpType = "Identity", Name = output };
            node.Input.Add(NameOf(_graph.Outputs[i]));
            node.Output.Add(output);
            _proto.Node.Add(node);
            _proto.Output.Add(Describe(output, _graph.Outputs[i].Type));
        }

        return _proto;
    }

    private static string Place(string name, Origin origin) => origin == Origin.None ? name : $"{name} ({origin})";

    private void WriteInputs(Func<int, Tensor?> tensor, Func<int, string?> name, Func<int, int>? order)
    {
        var used = _graph.UseCounts();
        foreach (var i in Enumerable.Range(0, _graph.Inputs.Length).OrderBy(i => _graph.Inputs[i].Kind == GraphInputKind.Argument && order is not null ? order(i) : i))
        {
            var input = _graph.Inputs[i];
            if (input.Kind == GraphInputKind.Argument)
            {
                _names[input] = _emitter.Unique(name(i) ?? input.Path);
                _proto.Input.Add(Describe(_names[input], input.Type));
            }
            else if (used.ContainsKey(input))
            {
                var value = tensor(i) ?? throw new GraphException($"ONNX export: there is no tensor for \"{input.Path}\"");
                _names[input] = TensorType.Of(value) is var type && type == input.Type
                    ? _emitter.Initializer(input.Path == "" ? "constant" : input.Path, value, _isOutline)
                    : throw new GraphException($"ONNX export: \"{input.Path}\" is {type} where {input.Type} is wanted");
            }
        }
    }

    /// <summary>What depends on numbers alone is computed here: masks, positions.</summary>
    private void FindConstants()
    {
        foreach (var node in _graph.Nodes.Where(node => node.Body is null && node.Operator.Kind != OperatorKind.Random && node.Operator.CanEvaluate))
        {
            // A factory looks at no values, only at the types of its tensors.
            var isFactory = node.Operator.Kind == OperatorKind.Factory;
            if (isFactory || node.Inputs.All(_constants.ContainsKey))
            {
                var tensors = node.Inputs.Select(value => _constants.TryGetValue(value, out var known) ? known : zeros(1, value.Type.DType).expand(value.Type.Shape.ToArray())).ToArray();
                var results = node.Operator.Evaluate(new(node.Operator, node.Arguments), tensors);
                for (var i = 0; i < results.Length; i++)
                {
                    _constants[node.Outputs[i]] = results[i];
                }
            }
        }
    }

    private string NameOf(Value value)
    {
        if (!_names.TryGetValue(value, out var name))
        {
            _names[value] = name = _constants.TryGetValue(value, out var tensor)
                ? _emitter.Initializer($"constant %{value.Name}", tensor)
                : throw new GraphException($"ONNX export: output {value.Index} of {value.Producer?.Operator.Name} is not written");
        }

        return name;
    }

    private static ValueInfoProto Describe(string name, TensorType type)
    {
        var shape = new TensorShapeProto();
        shape.Dim.Add(type.Shape.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }));
        return new() { Name = name, Type = new() { TensorType = new() { ElemType = OnnxEmitter.TypeOf(type.DType), Shape = shape } } };
    }
}
