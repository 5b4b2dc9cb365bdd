using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>What methods of TorchSharp are called with: the receiver, if there is one, then arguments. What is not here is called with a matrix and what its parameters suggest.</summary>
internal static class LoweringCases
{
    private static readonly Dictionary<string, Func<object?[]>> _byName = new()
    {
        ["Tensor.where"] = () => [randn(3, 4), randn(3, 4).gt(0), randn(3, 4)],
        ["Tensor.masked_fill"] = () => [randn(3, 4), randn(3, 4).gt(0), 2.5.ToScalar()],
        ["Tensor.lerp"] = () => [randn(3, 4), randn(3, 4), rand(3, 4)],
        ["Tensor.hardtanh"] = () => [randn(3, 4), (-0.4).ToScalar(), 0.7.ToScalar()],
        ["Tensor.pow"] = () => [rand(3, 4) + 0.5, null],
        ["Tensor.logical_and"] = () => [randn(3, 4).gt(0), randn(3, 4).gt(0)],
        ["Tensor.logical_or"] = () => [randn(3, 4).gt(0), randn(3, 4).gt(0)],
        ["Tensor.logical_xor"] = () => [randn(3, 4).gt(0), randn(3, 4).gt(0)],
        ["Tensor.bitwise_and"] = () => [randint(0, 9, [3, 4]), randint(0, 9, [3, 4])],
        ["Tensor.bitwise_or"] = () => [randint(0, 9, [3, 4]), randint(0, 9, [3, 4])],
        ["Tensor.bitwise_xor"] = () => [randint(0, 9, [3, 4]), randint(0, 9, [3, 4])],
        ["Tensor.matmul"] = () => [randn(2, 3, 4), randn(4, 5)],
        ["Tensor.mm"] = () => [randn(3, 4), randn(4, 5)],
        ["Tensor.bmm"] = () => [randn(2, 3, 4), randn(2, 4, 5)],
        ["Tensor.mv"] = () => [randn(3, 4), randn(4)],
        ["Tensor.dot"] = () => [randn(4), randn(4)],
        ["Tensor.outer"] = () => [randn(3), randn(4)],
        ["Tensor.addmm"] = () => [randn(3, 5), randn(3, 4), randn(4, 5), 0.5f, 2f],
        ["Tensor.addmv"] = () => [randn(3), randn(3, 4), randn(4), 0.5f, 2f],
        ["Tensor.baddbmm"] = () => [randn(2, 3, 4), randn(2, 4, 5), randn(2, 3, 5), 0.5f, 2f],
        ["torch.einsum"] = () => ["ij,jk->ik", new[] { randn(3, 4), randn(4, 5) }],
        ["functional.linear"] = () => [randn(2, 3, 4), randn(5, 4), randn(5)],
        ["Tensor.view"] = () => [randn(3, 4), new long[] { 2, -1 }],
        ["Tensor.reshape"] = () => [randn(3, 4).t(), new long[] { 2, 6 }],
        ["Tensor.permute"] = () => [randn(2, 3, 4), new long[] { 2, 0, 1 }],
        ["Tensor.transpose"] = () => [randn(2, 3, 4), 0L, 2L],
        ["Tensor.expand"] = () => [randn(1, 4), Span(3, 4), false],
        ["Tensor.flatten"] = () => [randn(2, 3, 4), 1L, 2L],
        ["Tensor.narrow"] = () => [randn(3, 4), 1L, 1L, 2L],
        ["Tensor.slice"] = () => [randn(3, 6), 1L, 1L, 5L, 2L],
        ["Tensor.diagonal"] = () => [randn(3, 4), 1L, 0L, 1L],
        ["Tensor.unfold"] = () => [randn(3, 6), 1L, 3L, 2L],
        ["Tensor.as_strided"] = () => [randn(3, 4), new long[] { 2, 2 }, new long[] { 4, 2 }, 1L],
        ["Tensor.split"] = () => [randn(6, 4), null, 0L],
        ["Tensor.chunk"] = () => [randn(5, 4), 2L, 0L],
        ["Tensor.repeat"] = () => [randn(3, 4), new long[] { 2, 1, 3 }],
        ["Tensor.repeat_interleave"] = () => [randn(3, 4), 2L, 1L, null],
        ["Tensor.flip"] = () => [randn(3, 4), new long[] { 0, 1 }],
        ["Tensor._roll"] = () => [randn(3, 4), Span(1), Span(1)],
        ["torch.cat"] = () => [null, 1L],
        ["torch.stack"] = () => [new[] { randn(3, 4), randn(3, 4) }, 1L],
        ["Tensor.gather"] = () => [randn(3, 4), 1L, randint(0, 4, [3, 2])],
        ["Tensor.index_select"] = () => [randn(3, 4), 1L, randint(0, 4, [2])],
        ["Tensor.index_add"] = () => [randn(3, 4), 0L, tensor(new long[] { 2, 0 }), randn(2, 4), 1.5.ToScalar()],
        ["Tensor.index_copy"] = () => [randn(3, 4), 0L, tensor(new long[] { 2, 0 }), randn(2, 4)],
        ["Tensor.index_fill"] = () => [randn(3, 4), 0L, tensor(new long[] { 2, 0 }), 1.5.ToScalar()],
        ["Tensor.scatter"] = () => [randn(3, 4), 1L, tensor(new long[] { 2, 0, 1 }).view(3, 1), randn(3, 4)],
        ["Tensor.scatter_add"] = () => [randn(3, 4), 1L, randint(0, 4, [3, 2]), randn(3, 4)],
        ["Tensor.select_scatter"] = () => [randn(3, 4), randn(4), 0L, 1L],
        ["Tensor.slice_scatter"] = () => [randn(3, 4), randn(3, 2), 1L, 1L, 3L, 1L],
        ["functional.one_hot"] = () => [randint(0, 4, [3]), 5L],
        ["Tensor._sum"] = () => [randn(2, 3, 4), Span(0, 2), true, null],
        ["Tensor.mean"] = () => [randn(2, 3, 4), new long[] { 1 }, false, null],
        ["Tensor.amax"] = () => [randn(2, 3, 4), Span(1), true, null],
        ["Tensor.amin"] = () => [randn(2, 3, 4), Span(1), true, null],
        ["Tensor.any"] = () => [randn(3, 4).gt(0), 1L, true],
        ["Tensor.all"] = () => [randn(3, 4).gt(0), 1L, true],
        ["Tensor.topk"] = () => [randn(3, 4), 2, 1, true, true],
        ["functional.layer_norm"] = () => [randn(3, 4), new long[] { 4 }, randn(4), randn(4), 1e-5],
        ["functional.group_norm"] = () => [randn(2, 4, 5), 2L, randn(4), randn(4), 1e-5],
        ["functional.scaled_dot_product_attention"] = () => [randn(2, 2, 5, 4), randn(2, 2, 5, 4), randn(2, 2, 5, 4), null, 0.0, true],
        ["functional.conv1d"] = () => [randn(2, 3, 8), randn(4, 3, 3), randn(4), 2L, 1L, 1L, 1L],
        ["functional.conv2d"] = () => [randn(2, 3, 8, 8), randn(4, 3, 3, 3), randn(4), new long[] { 2 }, new long[] { 1, 1 }, new long[] { 1, 1 }, 1L],
        ["functional.max_pool2d"] = () => [randn(2, 3, 8, 8), null, null, null, null, false],
        ["functional.avg_pool2d"] = () => [randn(2, 3, 8, 8), null, null, null, false, true, null],
        ["functional.adaptive_avg_pool2d"] = () => [randn(2, 3, 8, 8), null],
        ["functional.cross_entropy"] = () => [randn(3, 4), randint(0, 4, [3]), null, -100L, nn.Reduction.Mean, 0.1],
        ["functional.binary_cross_entropy"] = () => [rand(3, 4), rand(3, 4), rand(3, 4), nn.Reduction.Sum],
        ["functional.binary_cross_entropy_with_logits"] = () => [randn(3, 4), rand(3, 4), rand(3, 4), nn.Reduction.Mean, rand(4)],
        ["torch._zeros"] = () => [Span(2, 3), ScalarType.Float64, null, false, null],
        ["torch._ones"] = () => [Span(2, 3), ScalarType.Int64, null, false, null],
        ["torch._full"] = () => [Span(2, 3), 1.5.ToScalar(), ScalarType.Float32, CPU, false, null],
        ["torch._empty"] = () => [Span(0, 3), ScalarType.Float32, null, false, null],
        ["torch._rand"] = () => [Span(2, 3), ScalarType.Float32, null, false, null, null],
        ["torch._randn"] = () => [Span(2, 3), ScalarType.Float32, null, false, null, null],
        ["torch.randint"] = () => [2L, 9L, new Size([3, 4]), ScalarType.Int64, null, false, null, null],
        ["torch.arange"] = () => [1.ToScalar(), 9.ToScalar(), 2.ToScalar(), ScalarType.Int64, null, false],
        ["torch.linspace"] = () => [0.0, 1.0, 5L, ScalarType.Float32, null, false],
        ["Tensor.empty_like"] = () => [randn(0, 3), null, null, false],
        ["Tensor.bernoulli"] = () => [rand(3, 4), null],
        ["Tensor.multinomial"] = () => [rand(3, 4), 2L, false, null],
        ["Tensor.div"] = () => [randn(3, 4), null, RoundingMode.floor],
        ["Tensor.squeeze"] = () => [randn(3, 1, 4), 1L],
        ["Tensor._std"] = () => [randn(2, 3, 4), Span(1), true, true, null],
        ["Tensor._var"] = () => [randn(2, 3, 4), Span(0, 2), false, false, null],
        ["functional.dropout"] = () => [randn(30, 40), 0.3, true, false],
        ["functional.batch_norm"] = () => [randn(5, 4), rand(4), rand(4), rand(4), rand(4), false, 0.1, 1e-5],
        ["functional.pad"] = () => [randn(3, 4), null, PaddingModes.Constant, 1.5],
        ["Tensor.logit"] = () => [rand(3, 4)],
        ["Tensor.inverse"] = () => [randn(4, 4)],
        ["Tensor.det"] = () => [randn(4, 4)],
    };

    /// <summary>The receiver, if there is one, then the arguments.</summary>
    public static object?[] For(System.Reflection.MethodInfo method, string name)
    {
        var types = method.GetParameters().Select(parameter => parameter.ParameterType).ToList();
        var values = new List<object?>();
        var given = _byName.TryGetValue(name, out var make) ? make() : [];
        if (!method.IsStatic)
        {
            values.Add(given.Length > 0 ? given[0] : rand(3, 4) + 0.25);
            given = given.Length > 0 ? given[1..] : given;
        }

        for (var i = 0; i < types.Count; i++)
        {
            values.Add(i < given.Length && given[i] is not null && Fits(types[i], given[i]!) ? given[i] : Default(types[i], method.GetParameters()[i]));
        }

        return [.. values];
    }

    private static bool Fits(Type type, object value) => type.IsInstanceOfType(value) || Nullable.GetUnderlyingType(type)?.IsInstanceOfType(value) == true || value is SpanValue;

    private static object? Default(Type type, System.Reflection.ParameterInfo parameter)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner && inner != typeof(long))
        {
            return null;
        }

        return type == typeof(Tensor) ? parameter.Name is "weight" or "pos_weights" or "out" or "attn_mask" ? null : rand(3, 4) + 0.25
            : type == typeof(Scalar) ? (parameter.Name is "max" ? 0.9 : 0.5).ToScalar()
            : type == typeof(long) ? (parameter.Name is "dim" or "dim1" ? 1L : parameter.Name is "split_size" or "size" or "kernel_size" ? 2L : 0L)
            : type == typeof(int) ? 0
            : type == typeof(bool) ? parameter.DefaultValue is true
            : type == typeof(double) ? (parameter.DefaultValue is double number ? number : 0.5)
            : type == typeof(float) ? 1.5f
            : type == typeof(long[]) ? (parameter.Name is "padding" or "dilation" ? [1, 1] : new long[] { 2, 2 })
            : type == typeof(long?) ? (parameter.Name is "kernel_size" or "kernelSize" ? 2L : null)
            : type == typeof((long, long)) ? (2L, 2L)
            : type == typeof(nn.Reduction) ? nn.Reduction.Mean
            : type == typeof(IList<Tensor>) ? new List<Tensor> { randn(3, 4), randn(3, 2) }
            : type.Name.StartsWith("ReadOnlySpan", StringComparison.Ordinal) && type.GetGenericArguments()[0] == typeof(Tensor) ? SpanValue.Of(new[] { randn(3, 4), randn(3, 2) }, typeof(Tensor))
            : type.Name.StartsWith("ReadOnlySpan", StringComparison.Ordinal) ? Span(2, 4)
            : type.IsValueType ? Activator.CreateInstance(type) : null;
    }

    private static object Span(params long[] numbers) => SpanValue.Of(numbers, typeof(long));
}
