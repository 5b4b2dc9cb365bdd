namespace Toolkit.Graphs.Cpu;

/// <summary>View operators as layouts.</summary>
internal static class Views
{
    /// <summary>The layout of a view's output; null where the operator is not understood or strides cannot say it.</summary>
    public static Layout? Of(Node node, Layout source)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        var shape = node.Outputs[0].Type.Shape;
        switch (Name(node))
        {
            case "aten::view" or "aten::reshape" or "aten::_unsafe_view" or "aten::unsqueeze" or "aten::squeeze" or "aten::squeeze.dim" or "aten::squeeze.dims" or "aten::flatten.using_ints"
                or "aten::unflatten.int" or "aten::view_as" or "aten::reshape_as" or "aten::_reshape_alias":
                return source.Reshape(shape);
            case "aten::alias" or "aten::detach" or "aten::contiguous" or "aten::lift_fresh":
                return source;
            case "aten::t" or "aten::numpy_T":
                return source.Sizes.Length < 2 ? source : source.Transpose(0, 1);
            case "aten::mT":
                return source.Transpose(-2, -1);
            case "aten::transpose.int":
                return source.Transpose(call.Integer("dim0"), call.Integer("dim1"));
            case "aten::permute":
                return source.Permute(call.Integers("dims")!.Value);
            case "aten::expand" or "aten::expand_as" or "aten::broadcast_to":
                return source.Expand(shape);
            case "aten::select.int":
                return source.Select(call.Integer("dim"), call.Integer("index"));
            case "aten::narrow":
                return source.Slice(call.Integer("dim"), FromEnd(call.Integer("start"), source, call.Integer("dim")), call.Integer("length"), 1);
            case "aten::slice.Tensor":
                var dimension = call.Integer("dim");
                var extent = source.Sizes[(int)(dimension < 0 ? dimension + source.Sizes.Length : dimension)];
                var start = call.Has("start") ? Math.Clamp(FromEnd(call.Integer("start"), source, dimension), 0, extent) : 0;
                return source.Slice(dimension, start, shape[(int)(dimension < 0 ? dimension + source.Sizes.Length : dimension)], call.Integer("step"));
            default:
                return null;
        }
    }

    /// <summary>The layouts of a view with several outputs (parts of a tensor); null where it is not understood.</summary>
    public static Layout[]? OfMany(Node node, Layout source)
    {
        if (node.Operator.Kind != OperatorKind.View || Array.IndexOf(["aten::split.Tensor", "aten::chunk", "aten::split_with_sizes", "aten::unbind.int", "aten::split.sizes"], Name(node)) < 0)
        {
            return null;
        }

        var call = new OperatorCall(node.Operator, node.Arguments);
        var dimension = call.Integer("dim");
        var d = (int)(dimension < 0 ? dimension + source.Sizes.Length : dimension);
        var (parts, start) = (new Layout[node.Outputs.Length], 0L);
        for (var i = 0; i < parts.Length; i++)
        {
            if (Name(node) == "aten::unbind.int")
            {
                parts[i] = source.Select(d, i);
                continue;
            }

            var length = node.Outputs[i].Type.Shape[d];
            parts[i] = source.Slice(d, start, length, 1);
            start += length;
        }

        return parts;
    }

    private static string Name(Node node) => node.Operator.Name;

    private static long FromEnd(long index, Layout source, long dimension) =>
        index < 0 ? index + source.Sizes[(int)(dimension < 0 ? dimension + source.Sizes.Length : dimension)] : index;
}
