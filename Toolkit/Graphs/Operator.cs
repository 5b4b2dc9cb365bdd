using System.Collections.Immutable;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>
/// What a node does: a schema in ATen's notation (<c>aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor</c>), the types that come
/// out, and the plain way to compute it. <see cref="Operators"/> holds all of them; two operators are the same if they are one object.
/// </summary>
public sealed class Operator
{
    private readonly Func<OperatorCall, TensorType[]>? _infer;
    private readonly Func<OperatorCall, Tensor[], Tensor[]>? _evaluate;

    /// <summary>An operator of this schema.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="kind">What to know of it.</param>
    /// <param name="infer">Types of the outputs; null where only running it tells.</param>
    /// <param name="evaluate">Computes the outputs with TorchSharp from the call and its tensors (those of <see cref="OperatorCall.Values"/> in order); null for what a back end alone runs.</param>
    /// <exception cref="FormatException">The schema cannot be read.</exception>
    internal Operator(string schema, OperatorKind kind, Func<OperatorCall, TensorType[]>? infer, Func<OperatorCall, Tensor[], Tensor[]>? evaluate)
    {
        (Name, Parameters, Returns) = OperatorSchema.Parse(schema);
        (Schema, Kind, _infer, _evaluate) = (schema, kind, infer, evaluate);
    }

    /// <summary>Name with overload: <c>aten::add.Tensor</c>, <c>toolkit::rms_norm</c>.</summary>
    public string Name { get; }

    /// <summary>The schema's text.</summary>
    public string Schema { get; }

    /// <summary>What it takes.</summary>
    public ImmutableArray<OperatorParameter> Parameters { get; }

    /// <summary>Types of what it returns, as the schema writes them.</summary>
    public ImmutableArray<string> Returns { get; }

    /// <summary>What passes and back ends need to know.</summary>
    public OperatorKind Kind { get; }

    /// <summary>For an operator that is made anew whenever a call is captured: what it calls with what; equal ones do the same.</summary>
    internal object? Identity { get; init; }

    /// <summary>Whether it does the same as another.</summary>
    internal bool IsSame(Operator other) => this == other || (Identity is { } identity && identity.Equals(other.Identity));

    /// <summary>Whether it changes one of its inputs.</summary>
    public bool IsMutating => Parameters.Any(parameter => parameter.IsWritten);

    /// <summary>Whether the types of its outputs are known without running it.</summary>
    public bool CanInfer => _infer is not null;

    /// <summary>Whether it can be computed with TorchSharp.</summary>
    public bool CanEvaluate => _evaluate is not null;

    /// <summary>Place of a parameter.</summary>
    /// <exception cref="KeyNotFoundException">There is none of that name.</exception>
    public int IndexOf(string parameter)
    {
        for (var i = 0; i < Parameters.Length; i++)
        {
            if (Parameters[i].Name == parameter)
            {
                return i;
            }
        }

        throw new KeyNotFoundException($"{Name} has no parameter \"{parameter}\"");
    }

    /// <summary>Types of the outputs of a call.</summary>
    /// <exception cref="GraphException">The arguments do not fit, or only running it tells.</exception>
    public TensorType[] Infer(ImmutableArray<Argument> arguments) =>
        (_infer ?? throw new GraphException($"what {Name} returns is known only by running it"))(new(this, arguments));

    /// <summary>Computes a call the plain way.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tensors">Its tensors: those of <see cref="OperatorCall.Values"/> in order.</param>
    /// <returns>New tensors (or views) in the current dispose scope.</returns>
    /// <exception cref="GraphException">There is no plain way.</exception>
    public Tensor[] Evaluate(OperatorCall call, Tensor[] tensors) =>
        (_evaluate ?? throw new GraphException($"{Name} cannot be computed outside of a back end"))(call, tensors);

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
