using System.Collections.Immutable;

namespace Toolkit.Graphs.Passes;

/// <summary>Which memory a view shares with what it is a view of, and how a change of it is written back.</summary>
internal static class Views
{
    /// <summary>Whether the output of a node may share memory with its first input.</summary>
    public static bool MayShare(Node node) => node.Operator.Name switch
    {
        "aten::to.dtype" or "aten::to.device" => node.Output.Type == node.Inputs.First().Type && node["copy"] is BooleanArgument { Flag: false },
        _ => true,
    };

    /// <summary>Whether it is known if a view shares memory with its input, however that lies in memory.</summary>
    public static bool IsCertain(Node node) => node.Operator.Name switch
    {
        "aten::contiguous" => false,
        "aten::reshape" or "aten::flatten.using_ints" => Splits(node.Inputs.First().Type.Shape, node.Output.Type.Shape),
        "aten::as_strided" => false,
        _ => true,
    };

    /// <summary>Refuses what shares memory or does not, depending on how the tensor lies in memory, which types do not tell.</summary>
    /// <exception cref="GraphException">It is such a node.</exception>
    public static void RequireCertain(Node node)
    {
        if (!IsCertain(node))
        {
            throw new GraphException($"whether {node} shares memory with its input is not known, and that input changes{(node.Origin == Origin.None ? "" : $" ({node.Origin})")}");
        }
    }

    /// <summary>What the input of a view becomes when the view becomes something else.</summary>
    /// <param name="builder">Where to.</param>
    /// <param name="view">The view.</param>
    /// <param name="index">Which of its outputs.</param>
    /// <param name="parent">What its input is now.</param>
    /// <param name="value">What the output becomes.</param>
    /// <exception cref="GraphException">Several values of the view are one value of its input, or nobody knows.</exception>
    public static Value Scatter(GraphBuilder builder, Node view, int index, Value parent, Value value)
    {
        RequireCertain(view);
        var (call, shape) = (new OperatorCall(view.Operator, view.Arguments), parent.Type.Shape);
        switch (view.Operator.Name)
        {
            case "aten::alias" or "aten::detach" or "aten::lift_fresh" or "aten::to.dtype" or "aten::to.device":
                return value;
            case "aten::view" or "aten::reshape" or "aten::flatten.using_ints" or "aten::unsqueeze" or "aten::squeeze" or "aten::squeeze.dim" or "aten::squeeze.dims":
                return value.Type.Shape == shape ? value : builder.Add("aten::reshape", value, shape);
            case "aten::expand" when value.Type.Elements == parent.Type.Elements:
                return value.Type.Shape == shape ? value : builder.Add("aten::reshape", value, shape);
            case "aten::permute" or "aten::transpose.int" or "aten::t" or "aten::movedim.int":
                return builder.Add("aten::permute", value, Inverse(Permutation(call)!.Value));
            case "aten::slice.Tensor":
                var slice = Inference.Slice(call, shape[Dimension(call, shape)]);
                return builder.Add("aten::slice_scatter", parent, value, (long)Dimension(call, shape), slice.Start, slice.End, slice.Step);
            case "aten::narrow":
                var start = call.Integer("start") < 0 ? call.Integer("start") + shape[Dimension(call, shape)] : call.Integer("start");
                return builder.Add("aten::slice_scatter", parent, value, (long)Dimension(call, shape), start, start + call.Integer("length"), 1L);
            case "aten::select.int":
                return builder.Add("aten::select_scatter", parent, value, (long)Dimension(call, shape), call.Integer("index"));
            case "aten::unbind.int":
                return builder.Add("aten::select_scatter", parent, value, (long)Dimension(call, shape), (long)index);
            case "aten::diagonal":
                return builder.Add("aten::diagonal_scatter", parent, value, call.Integer("offset"), call.Integer("dim1"), call.Integer("dim2"));
            case "aten::split.Tensor" or "aten::split_with_sizes" or "aten::split.sizes" or "aten::chunk":
                var dim = Dimension(call, shape);
                var from = view.Outputs.Take(index).Sum(output => output.Type.Shape[dim]);
                return builder.Add("aten::slice_scatter", parent, value, (long)dim, from, from + value.Type.Shape[dim], 1L);
            default:
                throw new GraphException($"a change of {view} cannot be written back to its input{(view.Origin == Origin.None ? "" : $" ({view.Origin})")}");
        }
    }

    /// <summary>The order of dimensions that a node makes; null where it is no permutation.</summary>
    public static ImmutableArray<int>? Permutation(OperatorCall call)
    {
        var name = call.Operator.Name;
        if (name is not ("aten::permute" or "aten::transpose.int" or "aten::t" or "aten::movedim.int"))
        {
            return null;
        }

        var rank = call.Type("self").Shape.Count;
        var order = Enumerable.Range(0, rank).ToList();
        switch (name)
        {
            case "aten::permute":
                return [.. call.Integers("dims")!.Value.Select(d => Inference.Dimension(call, d, rank))];
            case "aten::t":
                order.Reverse();
                break;
            case "aten::transpose.int" when rank > 0:
                var (a, b) = (Inference.Dimension(call, "dim0", rank), Inference.Dimension(call, "dim1", rank));
                (order[a], order[b]) = (order[b], order[a]);
                break;
            case "aten::movedim.int" when rank > 0:
                var (from, to) = (Inference.Dimension(call, "source", rank), Inference.Dimension(call, "destination", rank));
                order.RemoveAt(from);
                order.Insert(to, from);
                break;
        }

        return [.. order];
    }

    private static long[] Inverse(ImmutableArray<int> order) => [.. Enumerable.Range(0, order.Length).Select(i => (long)order.IndexOf(i))];

    private static int Dimension(OperatorCall call, Shape shape) => Inference.Dimension(call, "dim", shape.Count);

    /// <summary>Whether no two dimensions become one, apart from those of extent 1: such a reshape is a view for all strides.</summary>
    private static bool Splits(Shape from, Shape to)
    {
        var (i, sizes, targets) = (0, from.Where(size => size != 1).ToArray(), to.Where(size => size != 1).ToArray());
        foreach (var size in sizes)
        {
            var product = 1L;
            while (product < size && i < targets.Length)
            {
                product *= targets[i++];
            }

            if (product != size)
            {
                return false;
            }
        }

        return i == targets.Length;
    }
}
