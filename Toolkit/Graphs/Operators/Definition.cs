using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>The ways in which groups of operators are written down.</summary>
internal static class Definition
{
    private static readonly Dictionary<string, Operator> _functional = new(StringComparer.Ordinal);

    /// <summary>The operator that computes what this one writes into its first input; null where there is none.</summary>
    public static Operator? FunctionalOf(Operator op) => _functional.GetValueOrDefault(op.Name) ?? Twin(op);

    /// <summary>Says which operator computes what another writes.</summary>
    public static void Pair(Operator inPlace, Operator functional) => _functional[inPlace.Name] = functional;

    /// <summary>An operator with one output.</summary>
    public static Operator One(string schema, OperatorKind kind, Func<OperatorCall, TensorType> infer, Func<Evaluation, Tensor> evaluate) =>
        Many(schema, kind, call => [infer(call)], e => [evaluate(e)]);

    /// <summary>An operator whose result has a size that only running it tells.</summary>
    public static Operator Unknown(string schema, Func<Evaluation, Tensor> evaluate) => Many(schema, OperatorKind.Other, null, e => [evaluate(e)]);

    /// <summary>An operator.</summary>
    public static Operator Many(string schema, OperatorKind kind, Func<OperatorCall, TensorType[]>? infer, Func<Evaluation, Tensor[]> evaluate) =>
        Operators.Add(schema, kind, infer, (call, tensors) => Run(new(call, tensors), evaluate));

    /// <summary>The operator that does the same to its first input: <c>aten::add_.Tensor</c> for <c>aten::add.Tensor</c>.</summary>
    /// <param name="functional">The other.</param>
    /// <param name="name">Its name, where ATen's is not the one that follows.</param>
    public static void InPlace(Operator functional, string? name = null)
    {
        var (first, rest) = (functional.Parameters[0].Name, functional.Schema[functional.Schema.IndexOf('(')..]);
        var dot = functional.Name.IndexOf('.');
        name ??= dot < 0 ? functional.Name + "_" : functional.Name.Insert(dot, "_");
        _functional[name] = functional;
        var schema = name + string.Concat("(Tensor(a!) ", rest.AsSpan(rest.IndexOf(first, StringComparison.Ordinal)));
        Many(
            schema[..(schema.LastIndexOf("->", StringComparison.Ordinal) + 2)] + " Tensor(a!)",
            functional.Kind,
            call =>
            {
                var target = call.Type(first);
                var result = functional.Infer(call.Arguments)[0];
                if (result.Shape != target.Shape)
                {
                    throw new GraphException($"{call.Operator.Name}: the result has the shape {result.Shape}, which does not fit into {target.Shape}");
                }

                return [target];
            },
            e => [e[first].copy_(functional.Evaluate(new(functional, e.Call.Arguments), Unchanged(e, first))[0])]);
    }

    /// <summary>The tensors of a call that changes one of them: where gradients are recorded autograd keeps what is read, so a copy is read, as libtorch's own operators in place do.</summary>
    private static Tensor[] Unchanged(Evaluation e, string target)
    {
        if (!is_grad_enabled() || !Array.Exists(e.Tensors, tensor => tensor is not null && tensor.requires_grad))
        {
            return e.Tensors;
        }

        var tensors = (Tensor[])e.Tensors.Clone();
        tensors[e.Call.TensorIndex(target)] = e[target].clone();
        return tensors;
    }

    /// <summary>libtorch calls what does the same in place by the name with an underscore: <c>aten::index_fill_.int_Tensor</c> does in place what <c>aten::index_fill.int_Tensor</c> does.</summary>
    private static Operator? Twin(Operator op)
    {
        var end = op.Name.IndexOf('.') is var dot and > 0 ? dot : op.Name.Length;
        return op.Name[end - 1] == '_' && op.Returns is ["Tensor"] && Operators.Find(op.Name.Remove(end - 1, 1)) is { IsMutating: false, Returns: ["Tensor"] } twin
            && op.Parameters[0].IsWritten && op.Parameters.Skip(1).All(parameter => !parameter.IsWritten)
            && op.Parameters.Select(parameter => (parameter.Name, parameter.Type)).SequenceEqual(twin.Parameters.Select(parameter => (parameter.Name, parameter.Type))) ? twin : null;
    }

    /// <summary>Gradients of a computation by autograd: the plain way to compute what libtorch's backward kernels compute.</summary>
    public static Tensor[] Gradients(Func<Tensor[], Tensor> forward, Tensor[] inputs, Tensor gradient)
    {
        using var enabled = enable_grad();
        Tensor[] leaves = [.. inputs.Select(input => input.detach().requires_grad_(true))];
        using var result = forward(leaves);
        return [.. autograd.grad([result], leaves, [gradient.detach()])];
    }

    /// <summary>What <see cref="Operator.Evaluate"/> runs: intermediate tensors and scalars end with the call.</summary>
    private static Tensor[] Run(Evaluation evaluation, Func<Evaluation, Tensor[]> evaluate)
    {
        using var scope = NewDisposeScope();
        using var owned = evaluation;
        var results = evaluate(evaluation);
        for (var i = 0; i < results.Length; i++)
        {
            // An input that comes out again gets a handle of its own, so that whoever frees one does not free the other.
            results[i] = Array.Exists(evaluation.Tensors, tensor => ReferenceEquals(tensor, results[i]))
                || Array.FindIndex(results, result => ReferenceEquals(result, results[i])) < i ? results[i].alias() : results[i];
            results[i].MoveToOuterDisposeScope();
        }

        return results;
    }
}
