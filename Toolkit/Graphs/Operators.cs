using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>All operators by name.</summary>
public static class Operators
{
    private static readonly ConcurrentDictionary<string, Operator> _all = new(StringComparer.Ordinal);

    /// <summary>Several operations in one: what they are is in <see cref="Node.Body"/>, whose inputs are the values given, in order.</summary>
    public static readonly Operator Fused = Add("toolkit::fused(Tensor[] inputs) -> Tensor[]", OperatorKind.Fused);

    /// <summary>Whichever member is touched first: all groups are there.</summary>
    static Operators()
    {
        PointwiseOperators.Register();
        GradientOperators.Register();
        ReductionOperators.Register();
        ViewOperators.Register();
        LayoutOperators.Register();
        ProductOperators.Register();
        NormalisationOperators.Register();
        AttentionOperators.Register();
        ConvolutionOperators.Register();
        IndexingOperators.Register();
        FactoryOperators.Register();
        RandomOperators.Register();
        LossOperators.Register();
        EngineOperators.Register();
    }

    /// <summary>Every operator there is now.</summary>
    public static IReadOnlyCollection<Operator> All => [.. _all.Values.OrderBy(op => op.Name, StringComparer.Ordinal)];

    /// <summary>The operator of that name.</summary>
    /// <exception cref="GraphException">There is none.</exception>
    public static Operator Get(string name) => Find(name) ?? throw new GraphException($"there is no operator \"{name}\"");

    /// <summary>The operator of that name: of the vocabulary, or else of the loaded libtorch where <see cref="Dispatch.DispatcherCapture"/> reaches it; null where there is none.</summary>
    public static Operator? Find(string name) => FindOwn(name) ?? Dispatch.LibraryOperators.Find(name);

    /// <summary>The operator of that name in the vocabulary; null where it has none.</summary>
    internal static Operator? FindOwn(string name) => _all.GetValueOrDefault(name);

    /// <summary>Adds an operator.</summary>
    /// <exception cref="ArgumentException">There is another of that name.</exception>
    internal static Operator Add(
        [StringSyntax("aten")] string schema, OperatorKind kind, Func<OperatorCall, TensorType[]>? infer = null, Func<OperatorCall, Tensor[], Tensor[]>? evaluate = null)
    {
        var op = new Operator(schema, kind, infer, evaluate);
        return _all.TryAdd(op.Name, op) ? op : throw new ArgumentException($"there is an operator \"{op.Name}\" already");
    }
}
