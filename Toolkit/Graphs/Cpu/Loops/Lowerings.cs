using System.Collections.Frozen;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>Every operator that a loop can compute.</summary>
internal static partial class Lowerings
{
    private static readonly FrozenDictionary<string, Lowering> _all = Pointwise().Concat(Comparisons()).Concat(Copies()).Concat(Reductions()).Concat(Gradients()).ToFrozenDictionary();

    /// <summary>Names of the operators.</summary>
    public static IEnumerable<string> Names => _all.Keys;

    /// <summary>How a node is computed in a loop; null where it is not.</summary>
    public static Lowering? Find(Node node)
    {
        if (node.Operator.Kind is OperatorKind.Random || !_all.TryGetValue(node.Operator.Name, out var lowering))
        {
            return null;
        }

        if (node.Inputs.Concat(node.Outputs).Any(value => NumberKinds.Of(value.Type.DType) is null || value.Type.Device != "cpu" || value.Type.Elements == 0) || lowering.Fits?.Invoke(node) == false)
        {
            return null;
        }

        return lowering.Reduced is null || ReducedBy(node, lowering) is not null ? lowering : null;
    }

    /// <summary>What the loop of a node runs over: its output, or the input that it reduces.</summary>
    public static Shape LoopShape(Node node) => _all[node.Operator.Name].Reduced is null ? node.Outputs[0].Type.Shape : node.Inputs.First().Type.Shape;

    /// <summary>The domain of a node.</summary>
    public static LoopDomain Domain(Node node)
    {
        var lowering = _all[node.Operator.Name];
        return new(LoopDomain.Canonical(LoopShape(node)), lowering.Reduced is null ? null : ReducedBy(node, lowering));
    }

    /// <summary>Whether vectors of floats can compute it.</summary>
    public static bool IsVector(Node node) => node.Inputs.Concat(node.Outputs).All(value => NumberKinds.IsVector(value.Type.DType));

    /// <summary>Whether it only gives the same values another shape that differs in extents of 1.</summary>
    public static bool IsIdentityView(Node node) => node.Operator.Kind == OperatorKind.View && node.Outputs.Length == 1
        && LoopDomain.Canonical(node.Inputs.First().Type.Shape) == LoopDomain.Canonical(node.Output.Type.Shape) && _all.ContainsKey(node.Operator.Name);

    /// <summary>The reduced dimensions among those that are not of 1, a bit for each; null where there are none.</summary>
    private static ulong? ReducedBy(Node node, Lowering lowering)
    {
        var shape = node.Inputs.First().Type.Shape;
        var reduced = lowering.Reduced!(node).Select(d => d < 0 ? d + shape.Count : d).ToHashSet();
        var axes = Enumerable.Range(0, shape.Count).Where(d => shape[d] != 1).ToArray();
        var mask = axes.Select((d, axis) => reduced.Contains(d) ? 1UL << axis : 0).Aggregate(0UL, (all, bit) => all | bit);
        return mask == 0 || axes.Length > 60 ? null : mask;
    }

    private static NumberKind OutputKind(Node node) => NumberKinds.Of(node.Outputs[0].Type.DType)!.Value;

    private static OperatorCall Call(Node node) => new(node.Operator, node.Arguments);

    private static bool IsReal(Node node) => OutputKind(node) is NumberKind.Float or NumberKind.Double;

    private static KeyValuePair<string, Lowering> Entry(string name, Func<LoopBuilder, Node, Expression> lower, Func<Node, bool>? fits = null) =>
        new(name, new((builder, node) => [lower(builder, node)], null, fits));
}
