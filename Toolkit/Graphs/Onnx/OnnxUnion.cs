using System.Reflection.Metadata;
using System.Runtime.InteropServices;
using Onnx;
using Toolkit.Graphs.Capture;

namespace Toolkit.Graphs;

/// <summary>
/// Models of one program for some sizes, made one model for any sizes: where they differ in numbers, the numbers are computed from the sizes of the arguments when the model runs.
/// </summary>
internal sealed class OnnxUnion
{
    private readonly SizePoints _points;
    private readonly GraphProto _proto;
    private readonly OnnxEmitter _emitter;
    private readonly Dictionary<string, TensorProto> _constants;
    private readonly Dictionary<(int Node, int Input), SizeForm[]> _numbers = [];
    private readonly SizeForm?[][] _outputs; // null for what is not known before the model runs

    /// <summary>What the models are together.</summary>
    /// <param name="points">The sizes that they are for.</param>
    /// <param name="protos">The models; the first becomes the model for any sizes.</param>
    /// <param name="emitter">What has written the first.</param>
    /// <exception cref="OnnxSizeException">They differ in more than numbers.</exception>
    public OnnxUnion(SizePoints points, GraphProto[] protos, OnnxEmitter emitter)
    {
        (_points, _proto, _emitter) = (points, protos[0], emitter);
        var constants = Array.ConvertAll(protos, Constants);
        _constants = constants[0];
        if (Array.Exists(protos, other => other.Node.Count != _proto.Node.Count))
        {
            throw new OnnxSizeException("for some sizes it has other operations than for others");
        }

        for (var n = 0; n < _proto.Node.Count; n++)
        {
            var first = _proto.Node[n];
            if (Array.Exists(protos, other => !IsSameOperation(first, other.Node[n])))
            {
                throw new OnnxSizeException($"{Describe(first)} is another operation for another size");
            }

            for (var i = 0; i < first.Input.Count; i++)
            {
                var (node, place) = (n, i);
                if (Enumerable.Range(1, protos.Length - 1).All(k => IsSameInput(constants[k], protos[k].Node[node].Input[place], first.Input[place])))
                {
                    continue;
                }

                var numbers = protos.Select((other, k) => constants[k].TryGetValue(other.Node[node].Input[place], out var tensor) && tensor.Dims.Count <= 1 ? Numbers(tensor) : null).ToArray();
                _numbers[(n, i)] = Array.TrueForAll(numbers, own => own is not null && own.Length == numbers[0]!.Length)
                    ? [.. Enumerable.Range(0, numbers[0]!.Length).Select(e => new SizeForm(points, Array.ConvertAll(numbers, own => own![e])))]
                    : throw new OnnxSizeException($"{Describe(first)} is given values that depend on a size");
            }
        }

        var shapes = Array.ConvertAll(protos, other => other.Output.Select(output => output.Type.TensorType.Shape.Dim.Select(dim => dim.DimValue).ToArray()).ToArray());
        _outputs = [.. Enumerable.Range(0, shapes[0].Length).Select(o => Array.TrueForAll(shapes, own => own[o].Length == shapes[0][o].Length)
            ? Enumerable.Range(0, shapes[0][o].Length).Select(d => (SizeForm?)new SizeForm(points, Array.ConvertAll(shapes, own => own[o][d]))).ToArray()
            : throw new OnnxSizeException("what is returned has other dimensions for another size"))];
    }

    /// <summary>Names of the sizes.</summary>
    public IReadOnlyList<string> Names { get; private set; } = [];

    /// <summary>What must hold of them.</summary>
    public IReadOnlyList<string> Requirements { get; private set; } = [];

    /// <summary>A model for other sizes must be what this one becomes for them.</summary>
    /// <exception cref="OnnxSizeException">It is something else.</exception>
    public void RequireFollowed(GraphProto other, long[] sizes)
    {
        var constants = Constants(other);
        if (other.Node.Count != _proto.Node.Count)
        {
            throw new OnnxSizeException("for some sizes it has other operations than for others");
        }

        for (var n = 0; n < _proto.Node.Count; n++)
        {
            var (first, node) = (_proto.Node[n], other.Node[n]);
            var isSame = IsSameOperation(first, node);
            for (var i = 0; isSame && i < first.Input.Count; i++)
            {
                isSame = _numbers.TryGetValue((n, i), out var forms)
                    ? constants.TryGetValue(node.Input[i], out var tensor) && Numbers(tensor) is { } numbers && numbers.Length == forms.Length && forms.Zip(numbers).All(pair => pair.First.At(sizes) == pair.Second)
                    : IsSameInput(constants, node.Input[i], first.Input[i]);
            }

            if (!isSame)
            {
                throw new OnnxSizeException($"{Describe(first)} does not follow the sizes");
            }
        }

        for (var o = 0; o < _outputs.Length; o++)
        {
            for (var d = 0; d < _outputs[o].Length; d++)
            {
                // An extent that is rounded, say.
                _outputs[o][d] = _outputs[o][d]?.At(sizes) == other.Output[o].Type.TensorType.Shape.Dim[d].DimValue ? _outputs[o][d] : null;
            }
        }
    }

    /// <summary>Makes the first model one for any sizes.</summary>
    /// <param name="places">Of each size, the dimensions of arguments that have it.</param>
    /// <param name="least">The least that each may be.</param>
    /// <param name="conditions">What must hold of them.</param>
    public void Complete((string Input, int Dimension)[][] places, long[] least, IEnumerable<(ILOpCode Code, SizeForm A, SizeForm B)> conditions)
    {
        var inputs = _proto.Input.ToDictionary(input => input.Name, StringComparer.Ordinal);
        var dims = Array.ConvertAll(places, own => Array.ConvertAll(own, place => (place.Input, Dimension: place.Dimension < 0 ? place.Dimension + inputs[place.Input].Type.TensorType.Shape.Dim.Count : place.Dimension)));
        Names = Array.ConvertAll(dims, own => FormattableString.Invariant($"{own[0].Input}_{own[0].Dimension}"));
        for (var i = 0; i < dims.Length; i++)
        {
            foreach (var (input, dimension) in dims[i])
            {
                inputs[input].Type.TensorType.Shape.Dim[dimension].DimParam = Names[i];
            }
        }

        foreach (var (output, forms) in _proto.Output.Zip(_outputs))
        {
            for (var d = 0; d < forms.Length; d++)
            {
                Mark(output.Type.TensorType.Shape.Dim[d], forms[d]);
            }
        }

        var (count, first) = (_proto.Node.Count, dims[0][0].Input);
        var writer = new OnnxSizeWriter(_emitter, _proto, Names, Array.ConvertAll(dims, own => own[0]));
        writer.Require(least, conditions);
        Requirements = writer.Requirements;
        var guarded = writer.Guarded(first, _proto.Node.Take(count).Any(node => node.Input.Contains(first)));
        for (var n = 0; n < count; n++)
        {
            var node = _proto.Node[n];
            for (var i = 0; i < node.Input.Count; i++)
            {
                node.Input[i] = _numbers.TryGetValue((n, i), out var forms) ? writer.Numbers(forms, _constants[node.Input[i]]) : node.Input[i] == first ? guarded : node.Input[i];
            }
        }

        // What computes the numbers comes first.
        NodeProto[] nodes = [.. _proto.Node.Skip(count), .. _proto.Node.Take(count)];
        _proto.Node.Clear();
        _proto.Node.Add(nodes);
    }

    private void Mark(TensorShapeProto.Types.Dimension dim, SizeForm? form)
    {
        if (form is { IsConstant: true })
        {
            return;
        }

        dim.ClearValue();
        if (form is null)
        {
            return;
        }

        var (number, multiples, products, divisor) = form.Sum();
        if (number == 0 && products.Count == 0 && divisor == 1 && multiples.Sum() == 1 && Array.TrueForAll(multiples, factor => factor is 0 or 1))
        {
            dim.DimParam = Names[Array.IndexOf(multiples, 1)];
        }
    }

    private static Dictionary<string, TensorProto> Constants(GraphProto proto) => proto.Initializer.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);

    private static bool IsSameOperation(NodeProto a, NodeProto b) => a.OpType == b.OpType && a.Input.Count == b.Input.Count && a.Output.Count == b.Output.Count && a.Attribute.Equals(b.Attribute);

    /// <summary>Whether an input of another model is the same value, or the same constant; of weights only one model has the values.</summary>
    private bool IsSameInput(Dictionary<string, TensorProto> constants, string other, string own) =>
        constants.TryGetValue(other, out var tensor) && _constants.TryGetValue(own, out var first)
            ? first.DataType == tensor.DataType && first.Dims.Equals(tensor.Dims) && (first.RawData.Equals(tensor.RawData) || (tensor.RawData.IsEmpty && other == own))
            : other == own && !constants.ContainsKey(other) && !_constants.ContainsKey(own);

    /// <summary>Whole numbers; null for others.</summary>
    private static long[]? Numbers(TensorProto tensor)
    {
        var bytes = tensor.RawData.Span;
        double[]? reals = null;
        switch ((TensorProto.Types.DataType)tensor.DataType)
        {
            case TensorProto.Types.DataType.Int64:
                return MemoryMarshal.Cast<byte, long>(bytes).ToArray();
            case TensorProto.Types.DataType.Int32:
                return [.. MemoryMarshal.Cast<byte, int>(bytes).ToArray().Select(number => (long)number)];
            case TensorProto.Types.DataType.Float:
                reals = [.. MemoryMarshal.Cast<byte, float>(bytes).ToArray().Select(number => (double)number)];
                break;
            case TensorProto.Types.DataType.Double:
                reals = MemoryMarshal.Cast<byte, double>(bytes).ToArray();
                break;
        }

        return reals is not null && Array.TrueForAll(reals, number => Math.Abs(number) < 1 << 24 && Math.Floor(number) == number) ? Array.ConvertAll(reals, number => (long)number) : null;
    }

    private static string Describe(NodeProto node) => $"{node.OpType}{(node.DocString == "" ? "" : $" ({node.DocString})")}";
}
