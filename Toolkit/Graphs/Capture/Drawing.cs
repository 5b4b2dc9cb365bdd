using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// An operator that draws random numbers for a tensor that does not lie row after row (a transposed one): libtorch draws in the order of memory, which is no part of a tensor's type. The numbers are those that
/// the program gets if the tensor lies as it did there.
/// </summary>
internal sealed class Drawing
{
    private readonly Operator _operator;
    private readonly long[]?[] _orders;

    private Drawing(Operator op, long[]?[] orders) => (_operator, _orders) = (op, orders);

    /// <summary>The operator for tensors that lie as these do; the operator itself where they lie row after row.</summary>
    public static Operator Of(Operator op, IEnumerable<Tensor> tensors)
    {
        long[]?[] orders = [.. tensors.Select(OrderOf)];
        if (Array.TrueForAll(orders, order => order is null))
        {
            return op;
        }

        var drawing = new Drawing(op, orders);
        return new Operator(op.Schema, op.Kind, op.CanInfer ? call => op.Infer(call.Arguments) : null, drawing.Run) { Identity = drawing };
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Drawing other && other._operator.IsSame(_operator) && other._orders.Zip(_orders).All(pair => AreSame(pair.First, pair.Second));

    /// <inheritdoc/>
    public override int GetHashCode() => _operator.Name.GetHashCode(StringComparison.Ordinal);

    private static bool AreSame(long[]? a, long[]? b) => a is null ? b is null : b is not null && a.AsSpan().SequenceEqual(b);

    /// <summary>The dimensions from the one of the greatest stride to the one of the least; null where that is the order in which they are counted.</summary>
    private static long[]? OrderOf(Tensor tensor)
    {
        if (tensor.is_sparse || tensor.is_contiguous())
        {
            return null;
        }

        var strides = tensor.stride();
        return [.. Enumerable.Range(0, strides.Length).OrderByDescending(d => strides[d]).Select(d => (long)d)];
    }

    private Tensor[] Run(OperatorCall call, Tensor[] tensors)
    {
        var laid = new Tensor[tensors.Length];
        using (var scope = NewDisposeScope())
        {
            for (var i = 0; i < tensors.Length; i++)
            {
                laid[i] = i < _orders.Length && _orders[i] is { } order
                    ? tensors[i].permute(order).contiguous().permute([.. Enumerable.Range(0, order.Length).Select(d => (long)Array.IndexOf(order, d))]).MoveToOuterDisposeScope()
                    : tensors[i];
            }
        }

        return _operator.Evaluate(call, laid);
    }
}
