using System.Collections.Frozen;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>
/// Floating-point operations of an operator, by its types. Products and a few others are counted by formulas; what consists of simpler operators costs what these cost; each other pointwise operator
/// costs one for each value that it makes, and each reduction one for each value that it takes. Moving, selecting and converting values costs none, nor does arithmetic of integers.
/// </summary>
internal static class FlopCount
{
    private static readonly FrozenDictionary<string, Func<OperatorCall, TensorType[], (long Products, long Others)>> _rules =
        new Dictionary<string, Func<OperatorCall, TensorType[], (long, long)>>(StringComparer.Ordinal)
        {
            ["aten::mm"] = (call, types) => (2 * types[0].Elements * call.Type("self").Shape[1], 0),
            ["aten::bmm"] = (call, types) => (2 * types[0].Elements * call.Type("self").Shape[2], 0),
            ["aten::mv"] = (call, types) => (2 * call.Type("self").Elements, 0),
            ["aten::dot"] = (call, types) => (2 * call.Type("self").Elements, 0),
            ["aten::outer"] = (_, types) => (types[0].Elements, 0),
            ["aten::addmm"] = (call, types) => Added(call, 2 * types[0].Elements * call.Type("mat1").Shape[1], types[0]),
            ["aten::baddbmm"] = (call, types) => Added(call, 2 * types[0].Elements * call.Type("batch1").Shape[2], types[0]),
            ["aten::addmv"] = (call, types) => Added(call, 2 * call.Type("mat").Elements, types[0]),
            ["aten::matmul"] = (call, types) => (2 * types[0].Elements * call.Type("self").Shape[^1], 0),
            ["aten::linear"] = (call, types) => (2 * types[0].Elements * call.Type("weight").Shape[^1], call.Has("bias") ? types[0].Elements : 0),
            ["aten::einsum"] = Einsum,
            ["aten::convolution"] = Convolution,
            ["aten::conv1d"] = Convolution,
            ["aten::conv2d"] = Convolution,
            ["aten::convolution_backward"] = (call, types) =>
                (types.Take(2).Count(type => type.Elements > 0) * Convolved(call, call.Type("grad_output")), types[2].Elements > 0 ? call.Type("grad_output").Elements : 0),
            ["aten::scaled_dot_product_attention"] = Attention,
            ["aten::_scaled_dot_product_flash_attention_for_cpu"] = Attention,
            ["aten::_scaled_dot_product_flash_attention_for_cpu_backward"] = (call, types) => Attention(call, types) is var (products, others) ? (5 * products / 2, 2 * others) : default,
            ["toolkit::attention"] = EngineAttention,
            ["toolkit::rotary"] = (call, types) => (0, 3 * 2 * call.Type("cos").Shape[^1] * (types[0].Elements / types[0].Shape[^1])),
            ["toolkit::cross_entropy"] = (call, _) => (0, 4 * call.Type("logits").Elements),
            ["toolkit::cross_entropy_of_head"] = (call, _) => call.Type("hidden").Shape[0] * call.Type("weight").Shape[0] is var logits ? (2 * logits * call.Type("hidden").Shape[1], 4 * logits) : default,
            ["aten::cross_entropy_loss"] = (call, _) => (0, 4 * call.Type("self").Elements),
            ["aten::group_norm"] = (call, types) => (0, 8 * types[0].Elements),
            ["aten::native_group_norm"] = (call, types) => (0, 8 * types[0].Elements),
            ["aten::native_batch_norm"] = Batch,
            ["aten::_native_batch_norm_legit"] = Batch,
            ["aten::_native_batch_norm_legit_functional"] = Batch,
            ["aten::batch_norm"] = Batch,
            ["aten::_fused_rms_norm"] = (_, types) => (0, 4 * types[0].Elements),
            ["aten::avg_pool2d"] = (call, types) => (0, types[0].Elements * (Window(call) + 1)),
            ["aten::max_pool2d"] = (call, types) => (0, types[0].Elements * Window(call)),
            ["aten::max_pool2d_with_indices"] = (call, types) => (0, types[0].Elements * Window(call)),
            ["aten::adaptive_avg_pool2d"] = (call, _) => (0, call.Type("self").Elements),
            ["aten::_adaptive_avg_pool2d"] = (call, _) => (0, call.Type("self").Elements),
            ["aten::cumsum"] = (_, types) => (0, types[0].Elements),
            ["aten::cumprod"] = (_, types) => (0, types[0].Elements),
            ["aten::dropout"] = (call, types) => (0, call.Flag("train") ? 2 * types[0].Elements : 0),
            ["aten::native_dropout"] = (_, types) => (0, 2 * types[0].Elements),
        }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenSet<string> _moves = new[]
    {
        "aten::where.self", "aten::where.ScalarSelf", "aten::where.ScalarOther", "aten::where.Scalar", "aten::masked_fill.Scalar", "aten::masked_fill.Tensor", "aten::copy_", "aten::fill_.Scalar",
        "aten::fill_.Tensor", "aten::zero_", "aten::copy",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Operations of a node: in products, and others.</summary>
    public static (long Products, long Others) Of(Node node)
    {
        if (node.Body is { } body)
        {
            return Sum(body.Nodes);
        }

        // What is done in place costs what is done elsewhere.
        var op = Definition.FunctionalOf(node.Operator) ?? node.Operator;
        OperatorCall call = new(op.Parameters.Length == node.Arguments.Length ? op : node.Operator, node.Arguments);
        TensorType[] types = [.. node.Outputs.Select(output => output.Type)];
        if (_rules.TryGetValue(op.Name, out var rule))
        {
            return rule(call, types);
        }

        var isFloating = types.Concat(node.Inputs.Select(value => value.Type)).Any(type => TypePromotion.IsFloating(type.DType));
        return !isFloating || _moves.Contains(op.Name) ? default
            : Parts(node, op) is { } parts ? Sum(parts)
            : op.Kind switch
            {
                OperatorKind.Pointwise => (0, types.Sum(type => type.Elements)),
                OperatorKind.Reduction => (0, node.Inputs.First().Type.Elements),
                _ => default,
            };
    }

    /// <summary>What an operator consists of; null where it is simple or nobody knows.</summary>
    private static IReadOnlyList<Node>? Parts(Node node, Operator op)
    {
        if (!ReferenceEquals(op, node.Operator) || !Passes.DecompositionRules.All.TryGetValue(op.Name, out var rule))
        {
            return null;
        }

        var builder = new GraphBuilder();
        foreach (var input in node.Inputs.Distinct<Value>(ReferenceEqualityComparer.Instance))
        {
            builder.Replace(input, builder.Input(input.Type, GraphInputKind.Argument, ""));
        }

        try
        {
            return rule(new(builder, new(op, [.. node.Arguments.Select(argument => argument.Map(builder.Of))]), [.. node.Outputs.Select(output => output.Type)])) is null ? null : builder.Nodes;
        }
        catch (GraphException)
        {
            return null;
        }
    }

    private static (long Products, long Others) Sum(IEnumerable<Node> nodes) =>
        nodes.Select(Of).Aggregate((Products: 0L, Others: 0L), (sum, cost) => (sum.Products + cost.Products, sum.Others + cost.Others));

    private static (long, long) Added(OperatorCall call, long products, TensorType type) =>
        (products, (call.Number("beta") == 0 ? 0 : type.Elements) + (call.Number("alpha") == 1 ? 0 : type.Elements) + (call.Number("beta") is 0 or 1 ? 0 : call.Type("self").Elements));

    /// <summary>One product and one sum for every combination of letters, as if nothing were shared between tensors.</summary>
    private static (long, long) Einsum(OperatorCall call, TensorType[] types)
    {
        var sizes = new Dictionary<char, long>();
        var parts = call.Text("equation")!.Replace(" ", "", StringComparison.Ordinal).Split("->")[0].Split(',');
        foreach (var (part, value) in parts.Zip(call.Values))
        {
            for (var i = 0; i < Math.Min(part.Length, value.Type.Shape.Count); i++)
            {
                sizes[part[i]] = Math.Max(sizes.GetValueOrDefault(part[i]), value.Type.Shape[i]);
            }
        }

        return (2 * sizes.Values.Aggregate(1L, (product, size) => product * size) * Math.Max(1, parts.Length - 1), 0);
    }

    private static (long, long) Convolution(OperatorCall call, TensorType[] types) => (Convolved(call, types[0]), call.Has("bias") ? types[0].Elements : 0);

    /// <summary>Each place of the output (of the input, if transposed) meets the weights of its group.</summary>
    private static long Convolved(OperatorCall call, TensorType output)
    {
        var weight = call.Type("weight").Shape;
        var transposed = call.Operator.Parameters.Any(parameter => parameter.Name == "transposed") && call.Flag("transposed");
        return 2 * (transposed ? call.Type("input").Elements : output.Elements) * weight.Skip(1).Aggregate(1L, (product, size) => product * size);
    }

    private static (long, long) Attention(OperatorCall call, TensorType[] types)
    {
        var (q, k, v) = (call.Type("query").Shape, call.Type("key").Shape, call.Type("value").Shape);
        var rows = q.Elements / Math.Max(1, q[^1] * q[^2]);
        return Attended(rows, Pairs(q[^2], k[^2], call.Flag("is_causal") && q[^2] == k[^2]), q[^1], v[^1]);
    }

    private static (long, long) EngineAttention(OperatorCall call, TensorType[] types)
    {
        var (q, k, v) = (call.Type("q").Shape, call.Type("k").Shape, call.Type("v").Shape);
        var (products, others) = Attended(q[0] * q[2], Pairs(q[1], k[1], !call.Has("mask")), q[3], v[3]);
        return (products, others + (call.Has("soft_cap") ? 3 * q[0] * q[2] * q[1] * k[1] : 0));
    }

    /// <summary>Queries and the keys that they see: the last queries of a causal sequence, or all of both. A mask is not looked into.</summary>
    private static long Pairs(long time, long positions, bool causal) => causal && time <= positions ? (time * positions) - (time * (time - 1) / 2) : time * positions;

    /// <summary>Two products, and for every score: scale, greatest, difference, exp, sum, quotient.</summary>
    private static (long, long) Attended(long heads, long pairs, long width, long valueWidth) => (2 * heads * pairs * (width + valueWidth), 6 * heads * pairs);

    /// <summary>Statistics where it trains (mean, difference, square, sum), then two operations for each value, and two with weights.</summary>
    private static (long, long) Batch(OperatorCall call, TensorType[] types) =>
        (0, types[0].Elements * ((call.Flag("training") ? 4 : 0) + 2 + (call.Has("weight") ? 1 : 0) + (call.Has("bias") ? 1 : 0)));

    private static long Window(OperatorCall call) => Inference.Expand(call.Integers("kernel_size")!.Value, 2).Aggregate(1L, (product, size) => product * size);
}
