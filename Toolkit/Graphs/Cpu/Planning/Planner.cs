using Toolkit.Graphs.Dispatch;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>Decides for each node of a fused graph how it is computed and where its values lie.</summary>
internal sealed partial class Planner
{
    private readonly Graph _graph;
    private readonly int _width;
    private readonly Dictionary<Value, Layout> _layouts = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Value, KernelBuffer> _outputs = new(ReferenceEqualityComparer.Instance);
    private readonly List<KernelBuffer> _buffers = [];
    private readonly List<Step> _steps = [];
    private readonly List<string> _copies = [];
    private int _arenas;
    private int _results;

    private readonly KernelBuffer?[] _handed;

    private readonly bool _isSizeless;

    private Planner(Graph graph, int width, bool isSizeless) => (_graph, _width, _isSizeless, _handed) = (graph, width, isSizeless, new KernelBuffer?[graph.Outputs.Length]);

    /// <summary>The plan of a graph.</summary>
    /// <param name="graph">With fused nodes.</param>
    /// <param name="strides">Strides of each input; null where it lies row after row.</param>
    /// <param name="constants">How many of the inputs, at the end, are constants of the executable.</param>
    /// <param name="width">Lanes of a vector.</param>
    /// <param name="isSizeless">Whether kernels are to serve other sizes too, given other numbers.</param>
    public static Plan Make(Graph graph, IReadOnlyList<long[]?> strides, int constants, int width, bool isSizeless = false)
    {
        var planner = new Planner(graph, width, isSizeless);
        planner.PlaceInputs(strides, constants);
        planner.PlaceOutputs();
        foreach (var node in graph.Nodes)
        {
            planner.Lower(node);
        }

        planner.Finish();
        return Scheduler.Schedule(planner._steps, planner._buffers, planner._copies, planner._checks, planner._handed);
    }

    private void PlaceInputs(IReadOnlyList<long[]?> strides, int constants)
    {
        for (var i = 0; i < _graph.Inputs.Length; i++)
        {
            var (type, own) = (_graph.Inputs[i].Type, i < strides.Count ? strides[i] : null);
            var kind = i < _graph.Inputs.Length - constants ? BufferKind.Input : BufferKind.Constant;
            var buffer = New(kind, kind == BufferKind.Input ? i : i - (_graph.Inputs.Length - constants), type.DType, type.Elements);
            _layouts[_graph.Inputs[i]] = own is null ? Layout.Contiguous(buffer, type.Shape) : new(buffer, 0, type.Shape.ToArray(), own);
        }
    }

    /// <summary>What a node computes and the graph returns is written right there.</summary>
    private void PlaceOutputs()
    {
        for (var i = 0; i < _graph.Outputs.Length; i++)
        {
            var value = _graph.Outputs[i];
            var buffer = New(BufferKind.Output, i, value.Type.DType, value.Type.Elements);
            if (value.Producer is { Operator.Kind: not OperatorKind.View })
            {
                _outputs.TryAdd(value, buffer);
            }
        }
    }

    private KernelBuffer New(BufferKind kind, int index, ScalarType type, long elements)
    {
        var buffer = new KernelBuffer(kind, index, type, elements) { Slot = _buffers.Count };
        _buffers.Add(buffer);
        return buffer;
    }

    private Layout Temporary(TensorType type) => Layout.Contiguous(New(BufferKind.Arena, _arenas++, type.DType, type.Elements), type.Shape);

    /// <summary>Where a value is to be computed: what is returned, or memory of ours.</summary>
    private Layout Target(Value value)
    {
        if (!_layouts.TryGetValue(value, out var layout))
        {
            layout = _outputs.TryGetValue(value, out var output) ? Layout.Contiguous(output, value.Type.Shape) : Temporary(value.Type);
            _layouts[value] = layout;
        }

        return layout;
    }

    private void Lower(Node node)
    {
        if (node.Operator == Operators.Fused)
        {
            LowerFused(node);
        }
        else if (!LowerView(node) && !LowerSpecial(node) && !LowerProduct(node) && !LowerDirect(node))
        {
            Fallback(node);
        }
    }

    private bool LowerView(Node node)
    {
        if (node.Operator.Kind != OperatorKind.View || !node.Inputs.Any())
        {
            return false;
        }

        var source = _layouts[node.Inputs.First()];
        if (Views.OfMany(node, source) is { } parts)
        {
            for (var i = 0; i < parts.Length; i++)
            {
                _layouts[node.Outputs[i]] = parts[i];
            }

            return true;
        }

        if (node.Outputs.Length != 1)
        {
            return false;
        }

        if ((Views.Of(node, source) ?? Views.Of(node, Contiguous(source, node))) is not { } view)
        {
            return false;
        }

        _layouts[node.Output] = view;
        return true;
    }

    /// <summary>The same values row after row: copied, if they do not lie so.</summary>
    private Layout Contiguous(Layout layout, Node reason)
    {
        if (layout.IsContiguous)
        {
            return layout;
        }

        var copy = Temporary(new(layout.DType, Shape.Create(layout.Sizes)));
        Copy(layout, copy, reason);
        _copies.Add($"{copy.Buffer.Bytes} bytes before {reason.Operator.Name} {reason.Origin}".TrimEnd());
        return copy;
    }

    private void Copy(Layout from, Layout to, Node? reason)
    {
        if (NumberKinds.Of(from.DType) is null)
        {
            throw new GraphException($"kernels do not copy {from.DType}");
        }

        if (to.Sizes.All(size => size > 0))
        {
            Add(LoopEmitter.Emit(LoopBuilder.Copy(from, to), _width, _isSizeless), reason is null ? [] : [reason], to.Buffer);
        }
    }

    private void Add(KernelCode code, IReadOnlyList<Node> nodes, params KernelBuffer[] outputs) => _steps.Add(new KernelStep { Nodes = nodes, Code = code, Outputs = outputs });

    /// <summary>Whether only libtorch's own functions and their derivatives call an operator: TorchSharp computes it from several others, or by deriving the forward pass once more.</summary>
    private static bool IsOfAutograd(string name) =>
        name.StartsWith("aten::_", StringComparison.Ordinal) || name.StartsWith("aten::native_", StringComparison.Ordinal)
        || name.Contains("_backward", StringComparison.Ordinal) || name.Contains("_forward", StringComparison.Ordinal);

    private void Fallback(Node node)
    {
        var inputs = node.Inputs.Select(input => _layouts[input]).ToArray();
        var outputs = node.Outputs.Select(output => New(BufferKind.Result, _results++, output.Type.DType, output.Type.Elements)).ToArray();
        _steps.Add(new FallbackStep
        {
            Nodes = [node],
            Library = IsOfAutograd(node.Operator.Name) ? DispatcherCapture.Instance?.Find(node.Operator.Name) : null,
            Inputs = inputs,
            Outputs = outputs,
            Sizes = [.. node.Outputs.Select(output => output.Type.Shape.ToArray())],
            Strides = [.. node.Outputs.Select(output => output.Type.Shape.ContiguousStrides.ToArray())],
        });
        for (var i = 0; i < outputs.Length; i++)
        {
            _layouts[node.Outputs[i]] = Layout.Contiguous(outputs[i], node.Outputs[i].Type.Shape);
        }
    }

    /// <summary>Copies what is returned but was not computed in its place, then overwrites the inputs that the graph changes.</summary>
    private void Finish()
    {
        for (var i = 0; i < _graph.Outputs.Length; i++)
        {
            var value = _graph.Outputs[i];
            var buffer = _buffers.First(candidate => candidate.Kind == BufferKind.Output && candidate.Index == i);
            if (IsWhole(value))
            {
                _handed[i] = _layouts[value].Buffer;
            }
            else if (_layouts[value].Buffer != buffer)
            {
                Copy(_layouts[value], Layout.Contiguous(buffer, value.Type.Shape), value.Producer);
            }
        }

        // A value that is itself a changed input is saved before any of them is written.
        var targets = _graph.Mutations.Select(mutation => _layouts[mutation.Target].Buffer).ToHashSet();
        var values = _graph.Mutations.Select(mutation => _layouts[mutation.Value]).ToArray();
        for (var i = 0; i < values.Length; i++)
        {
            if (targets.Contains(values[i].Buffer) && values[i] != _layouts[_graph.Mutations[i].Target])
            {
                var saved = Temporary(new(values[i].DType, Shape.Create(values[i].Sizes)));
                Copy(values[i], saved, _graph.Mutations[i].Value.Producer);
                values[i] = saved;
            }
        }

        for (var i = 0; i < values.Length; i++)
        {
            if (values[i] != _layouts[_graph.Mutations[i].Target])
            {
                Copy(values[i], _layouts[_graph.Mutations[i].Target], _graph.Mutations[i].Value.Producer);
            }
        }
    }

    /// <summary>Whether a value is all of what a call made, row after row, and not returned yet.</summary>
    private bool IsWhole(Value value) =>
        _layouts[value] is { Buffer.Kind: BufferKind.Result, Offset: 0, IsContiguous: true } layout && value.Producer is { Operator.Kind: not OperatorKind.View } && !_handed.Contains(layout.Buffer);
}
