using System.Collections.Immutable;

namespace Toolkit.Graphs;

/// <summary>
/// Tensor operations in the order in which they run. A graph does not change: <see cref="GraphBuilder"/> makes one, a pass makes another from it. Nodes stand after what they read.
/// A graph that came through functionalisation is pure: no operator changes an input, and what the program changed is in <see cref="Mutations"/>.
/// </summary>
public sealed class Graph
{
    internal Graph(ImmutableArray<GraphInput> inputs, ImmutableArray<Node> nodes, ImmutableArray<Value> outputs, ImmutableArray<Mutation> mutations) =>
        (Inputs, Nodes, Outputs, Mutations) = (inputs, nodes, outputs, mutations);

    /// <summary>What it is given, in the order of a call.</summary>
    public ImmutableArray<GraphInput> Inputs { get; }

    /// <summary>What it does, in order.</summary>
    public ImmutableArray<Node> Nodes { get; }

    /// <summary>What it returns.</summary>
    public ImmutableArray<Value> Outputs { get; }

    /// <summary>What it leaves in its inputs, after everything has been read.</summary>
    public ImmutableArray<Mutation> Mutations { get; }

    /// <summary>All values: inputs, then what nodes compute.</summary>
    public IEnumerable<Value> Values => Inputs.Concat(Nodes.SelectMany(node => node.Outputs));

    /// <summary>How many times each value is read, by nodes and at the end.</summary>
    public IReadOnlyDictionary<Value, int> UseCounts()
    {
        var counts = new Dictionary<Value, int>(ReferenceEqualityComparer.Instance);
        foreach (var value in Nodes.SelectMany(node => node.Inputs).Concat(Outputs).Concat(Mutations.Select(mutation => mutation.Value)))
        {
            counts[value] = counts.GetValueOrDefault(value) + 1;
        }

        return counts;
    }

    /// <summary>The graph of a text that <see cref="ToText"/> wrote, or a person in the same form.</summary>
    /// <exception cref="GraphException">It is no graph; the message begins with line and column.</exception>
    public static Graph Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return GraphText.Parse(text);
    }

    /// <summary>
    /// The operations of a module: it is called once, for real and without gradients, and its operations are written down. Nothing is compiled.
    /// </summary>
    /// <param name="module">The module.</param>
    /// <param name="inputs">What it is called with.</param>
    /// <exception cref="GraphBreakException">It cannot be captured whole.</exception>
    /// <exception cref="ArgumentException">The module takes something else.</exception>
    public static Graph Of(TorchSharp.torch.nn.Module module, params ReadOnlySpan<object?> inputs)
    {
        ArgumentNullException.ThrowIfNull(module);
        return Capture.WholeCapture.Of(module, [.. inputs]);
    }

    /// <summary>The textual form, which <see cref="Parse"/> reads: see <see cref="GraphText"/>.</summary>
    public string ToText() => GraphText.Write(this);

    /// <summary>Writes it as an ONNX model (opset 18), with weights inside and under their own names.</summary>
    /// <param name="path">The file.</param>
    /// <param name="weights">The tensors of all inputs that are no arguments, by their <see cref="GraphInput.Path"/>: a module's <c>state_dict()</c>, say.</param>
    /// <exception cref="GraphException">Some operators have no counterpart in ONNX (the message lists them), the graph changes its inputs, or a weight is missing.</exception>
    public void ExportOnnx(string path, IReadOnlyDictionary<string, TorchSharp.torch.Tensor> weights) =>
        OnnxExporter.Export(this, path, i => Inputs[i].Kind == GraphInputKind.Argument ? null : weights.GetValueOrDefault(Inputs[i].Path), _ => null);

    /// <summary>What running it takes: floating-point operations, bytes, memory.</summary>
    public GraphCost Cost() => GraphCost.Of(this);

    /// <summary>How large it is, as in <c>330 operations, 1 argument, 149 parameters</c>; <see cref="ToText"/> writes all of it.</summary>
    public override string ToString()
    {
        int Count(GraphInputKind kind) => Inputs.Count(input => input.Kind == kind);
        string[] parts =
        [
            Quantity.Of(Nodes.Length, "operation"), Quantity.Of(Count(GraphInputKind.Argument), "argument"), Quantity.Of(Count(GraphInputKind.Parameter), "parameter"),
            Count(GraphInputKind.Constant) is > 0 and var constants ? Quantity.Of(constants, "constant") : "", Mutations.Length > 0 ? $"overwrites {Quantity.Of(Mutations.Length, "input")}" : "",
        ];
        return string.Join(", ", parts.Where(part => part != ""));
    }
}
