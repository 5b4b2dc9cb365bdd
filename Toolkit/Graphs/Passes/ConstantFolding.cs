using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Passes;

/// <summary>
/// Computes now what depends on nothing but constants. Results become factories where all their values are the same, else inputs of the kind
/// <see cref="GraphInputKind.Constant"/> behind the others; their tensors are in <see cref="Folded"/>, for whoever runs the graph.
/// </summary>
/// <param name="constants">Tensors of the graph's constant inputs by path; those that are missing are not folded.</param>
/// <param name="limit">Bytes that a result may have.</param>
public sealed class ConstantFolding(IReadOnlyDictionary<string, Tensor>? constants = null, long limit = 1 << 20) : IGraphPass, IDisposable
{
    private readonly Dictionary<string, Tensor> _folded = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Name => "constant folding";

    /// <summary>The tensors of the inputs that the pass added, by path; they live until the pass is disposed.</summary>
    public IReadOnlyDictionary<string, Tensor> Folded => _folded;

    /// <inheritdoc/>
    public Graph Run(Graph graph)
    {
        Purity.Require(graph);
        using var scope = NewDisposeScope();
        using var still = no_grad();
        var known = Known(graph);
        var wanted = Wanted(graph, known);
        var builder = new GraphBuilder();
        builder.CopyInputs(graph);

        // Inputs come before nodes, so the new ones are made first.
        foreach (var value in wanted)
        {
            if (Uniform(known[value]) is null)
            {
                var path = $"folded.{_folded.Count}";
                builder.Replace(value, builder.Input(value.Type, GraphInputKind.Constant, path));
                _folded.Add(path, known[value].contiguous().DetachFromDisposeScope());
            }
        }

        foreach (var node in graph.Nodes)
        {
            if (!wanted.Overlaps(node.Outputs))
            {
                builder.Copy(node);
                continue;
            }

            builder.Origin = node.Origin;
            foreach (var output in node.Outputs)
            {
                if (Uniform(known[output]) is { } number)
                {
                    var type = output.Type;
                    builder.Replace(output, builder.Add("aten::full", type.Shape, number, type.DType, NoArgument.Instance, new DeviceArgument(type.Device)));
                }
            }

            builder.Origin = Origin.None;
        }

        return builder.BuildLike(graph);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _folded.Values)
        {
            tensor.Dispose();
        }

        _folded.Clear();
    }

    /// <summary>Values that depend on constants alone, computed.</summary>
    private Dictionary<Value, Tensor> Known(Graph graph)
    {
        var known = new Dictionary<Value, Tensor>(ReferenceEqualityComparer.Instance);
        foreach (var input in graph.Inputs.Where(input => input.Kind == GraphInputKind.Constant))
        {
            if (constants?.TryGetValue(input.Path, out var tensor) == true)
            {
                known.Add(input, tensor!);
            }
        }

        foreach (var node in graph.Nodes)
        {
            var operatorFits = node.Operator is { CanEvaluate: true, CanInfer: true } && node.Body is null && !node.HasEffect();
            if (operatorFits && node.Inputs.All(known.ContainsKey) && node.Outputs.Sum(output => output.Type.Bytes) <= limit)
            {
                var results = node.Operator.Evaluate(new(node.Operator, node.Arguments), [.. node.Inputs.Select(value => known[value])]);
                for (var i = 0; i < results.Length; i++)
                {
                    known.Add(node.Outputs[i], results[i]);
                }
            }
        }

        return known;
    }

    /// <summary>Of these, those that something else reads; a factory is as cheap as a constant and stays.</summary>
    private static HashSet<Value> Wanted(Graph graph, Dictionary<Value, Tensor> known)
    {
        var wanted = new HashSet<Value>(ReferenceEqualityComparer.Instance);
        var read = graph.Nodes.Where(node => !node.Outputs.All(known.ContainsKey)).SelectMany(node => node.Inputs)
            .Concat(graph.Outputs).Concat(graph.Mutations.Select(mutation => mutation.Value));
        foreach (var value in read)
        {
            if (known.ContainsKey(value) && value.Producer is { } producer && !(producer.Operator.Kind == OperatorKind.Factory && !producer.Inputs.Any()))
            {
                wanted.Add(value);
            }
        }

        // Of a node with several outputs, all or none.
        foreach (var node in wanted.Select(value => value.Producer!).Distinct().ToArray())
        {
            wanted.UnionWith(node.Outputs);
        }

        return wanted;
    }

    /// <summary>The one number that all values are; null where they differ.</summary>
    private static Argument? Uniform(Tensor tensor)
    {
        if (tensor.numel() == 0 || TypePromotion.IsComplex(tensor.dtype) || tensor.dtype == ScalarType.Bool)
        {
            return null;
        }

        using var scope = NewDisposeScope();
        var flat = tensor.reshape(-1);
        var first = flat[0];
        if (!flat.eq(first).all().item<bool>())
        {
            return null;
        }

        // Zeros of both signs compare equal.
        var number = first.to(ScalarType.Float64).item<double>();
        return number == 0 && TypePromotion.IsFloating(tensor.dtype) ? null : TypePromotion.IsFloating(tensor.dtype) ? number : first.to(ScalarType.Int64).item<long>();
    }
}
