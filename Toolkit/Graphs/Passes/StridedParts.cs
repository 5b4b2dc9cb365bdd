namespace Toolkit.Graphs.Passes;

/// <summary>
/// Autograd writes the gradient of a part of a tensor by strides over new memory (<c>aten::as_strided</c>). Where it is known how that memory is laid out, they mean a part of it that slices name as
/// well, whatever it lies in.
/// </summary>
internal sealed class StridedParts : IGraphPass
{
    /// <inheritdoc/>
    public string Name => "strided parts";

    /// <inheritdoc/>
    public Graph Run(Graph graph)
    {
        if (!graph.Nodes.Any(IsOfKnownMemory))
        {
            return graph;
        }

        var builder = new GraphBuilder();
        builder.CopyInputs(graph);
        foreach (var node in graph.Nodes)
        {
            builder.Origin = node.Origin;
            if (IsOfKnownMemory(node) && Part(builder, node) is { } part)
            {
                builder.Replace(node.Output, part);
            }
            else
            {
                builder.Copy(node);
            }
        }

        return builder.BuildLike(graph);
    }

    private static bool IsOfKnownMemory(Node node) => node.Operator.Name == "aten::as_strided" && node.Output.Type.Elements > 0 && node.Inputs.First().Producer is { } producer && IsRowAfterRow(producer);

    private static bool IsRowAfterRow(Node producer) => producer.Operator.Name switch
    {
        "aten::zeros" or "aten::full" or "aten::new_zeros" or "aten::new_full" or "aten::new_empty" => true,
        "aten::empty_strided" or "aten::new_empty_strided" => new OperatorCall(producer.Operator, producer.Arguments).Integers("stride")!.Value.SequenceEqual(RowAfterRow(producer.Output.Type.Shape)),
        _ => false,
    };

    private static IEnumerable<long> RowAfterRow(Shape shape) => shape.Select((_, d) => shape.Skip(d + 1).Aggregate(1L, (product, size) => product * size));

    /// <summary>The part by slices; null where it is none, but rows that begin anywhere.</summary>
    private static Value? Part(GraphBuilder builder, Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        var (sizes, strides) = (call.Integers("size")!.Value, call.Integers("stride")!.Value);
        var (length, at) = (node.Inputs.First().Type.Elements, call.Has("storage_offset") ? call.Integer("storage_offset") : 0);
        int[] order = [.. Enumerable.Range(0, sizes.Length).Where(d => sizes[d] != 1).OrderByDescending(d => strides[d])];
        var part = builder.Add("aten::view", builder.Of(node.Inputs.First()), new long[] { length });
        for (var i = 0; i < order.Length - 1; i++)
        {
            // The last dimension becomes rows as long as the stride, in each of which the part goes on at the same place.
            var (count, stride) = (sizes[order[i]], strides[order[i]]);
            var begin = stride > 0 ? at / stride * stride : 0;
            if (stride <= 0 || begin + (count * stride) > length)
            {
                return null;
            }

            part = builder.Add("aten::slice.Tensor", part, (long)i, begin, begin + (count * stride), 1L);
            part = builder.Add("aten::view", part, (long[])[.. part.Type.Shape.Take(i), count, stride]);
            (length, at) = (stride, at - begin);
        }

        var (last, step) = order.Length == 0 ? (1, 1) : (sizes[order[^1]], strides[order[^1]]);
        var end = at + ((last - 1) * step) + 1;
        if (step <= 0 || end > length)
        {
            return null;
        }

        var rank = Math.Max(1, order.Length);
        part = builder.Add("aten::slice.Tensor", part, rank - 1L, at, end, step);
        part = builder.Add("aten::permute", part, (long[])[.. order.Length == 0 ? [0] : order.Order().Select(d => (long)Array.IndexOf(order, d))]);
        if (order.Length == 0)
        {
            part = builder.Add("aten::squeeze.dim", part, 0L);
        }

        foreach (var d in Enumerable.Range(0, sizes.Length).Where(d => sizes[d] == 1))
        {
            part = builder.Add("aten::unsqueeze", part, (long)d);
        }

        return part;
    }
}
