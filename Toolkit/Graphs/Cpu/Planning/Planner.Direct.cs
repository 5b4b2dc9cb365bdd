using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

internal sealed partial class Planner
{
    /// <summary>Operators that stay libtorch's, but are called without a detour.</summary>
    private bool LowerDirect(Node node)
    {
        if (node.Inputs.Concat(node.Outputs).Any(value => value.Type.DType is not (ScalarType.Float32 or ScalarType.BFloat16) || value.Type.Device != "cpu"
            || (value.Type.Elements == 0 && (node.Operator.Name != "aten::convolution_backward" || IsUsed(value)))))
        {
            return false;
        }

        return node.Operator.Name switch
        {
            "aten::conv1d" or "aten::conv2d" or "aten::convolution" => LowerConvolution(node),
            "aten::convolution_backward" => LowerConvolutionBackward(node),
            "aten::max_pool2d" => LowerPool(node),
            "aten::scaled_dot_product_attention" => LowerFlashAttention(node),
            _ => false,
        };
    }

    private bool LowerConvolution(Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        var (x, weight) = (_layouts[call.Value("input")], _layouts[call.Value("weight")]);
        if (x.Sizes.Length != weight.Sizes.Length || IsTransposed(node))
        {
            return false;
        }

        var (stride, padding, dilation, groups) = Geometry(call, weight.Sizes.Length - 2);
        Layout[] inputs = call.Has("bias") ? [x, weight, _layouts[call.Value("bias")]] : [x, weight];
        Direct(node, inputs, node.Output.Type.Shape.ContiguousStrides.ToArray(), handles => LibTorchCalls.Convolve(handles[0], handles[1], handles.Length > 2 ? handles[2] : 0, stride, padding, dilation, groups));
        return true;
    }

    private bool LowerConvolutionBackward(Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        Layout[] inputs = [_layouts[call.Value("grad_output")], _layouts[call.Value("input")], _layouts[call.Value("weight")]];
        if (IsTransposed(node) || inputs.Any(input => input.Sizes.Length != inputs[0].Sizes.Length))
        {
            return false;
        }

        var (stride, padding, dilation, groups) = Geometry(call, inputs[0].Sizes.Length - 2);
        int[] wanted = [.. call.Integers("output_mask")!.Value.Select(number => (int)number)];
        long[]? bias = wanted[2] != 0 ? [inputs[0].Sizes[1]] : null;
        Direct(node, inputs, (handles, results) => LibTorchCalls.ConvolveBackward(handles, bias, stride, padding, dilation, groups, wanted, results));
        return true;
    }

    private static (long[] Stride, long[] Padding, long[] Dilation, long Groups) Geometry(OperatorCall call, int dimensions)
    {
        long[] Each(string name) => call.Integers(name)!.Value is var given && given.Length == dimensions ? [.. given] : [.. Enumerable.Repeat(given[0], dimensions)];
        return (Each("stride"), Each("padding"), Each("dilation"), call.Integer("groups"));
    }

    private static bool IsTransposed(Node node) => node.Operator.Name.StartsWith("aten::convolution", StringComparison.Ordinal) && new OperatorCall(node.Operator, node.Arguments).Flag("transposed");

    private bool IsUsed(Value value) => _graph.Outputs.Contains(value) || _graph.Nodes.Any(node => node.Inputs.Contains(value));

    private bool LowerPool(Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        long[] Numbers(string name) => [.. call.Integers(name) ?? []];
        var (kernel, stride, padding, dilation, isCeiling) = (Numbers("kernel_size"), Numbers("stride"), Numbers("padding"), Numbers("dilation"), call.Flag("ceil_mode"));
        Direct(node, [_layouts[call.Value("self")]], node.Output.Type.Shape.ContiguousStrides.ToArray(), handles => LibTorchCalls.MaxPool(handles[0], kernel, stride, padding, dilation, isCeiling));
        return true;
    }

    /// <summary>Many queries: libtorch's attention in blocks (Dao et al., 2022), whose result lies as (B, T, H, D).</summary>
    private bool LowerFlashAttention(Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        var names = new[] { "query", "key", "value" };
        var layouts = names.Select(name => _layouts[call.Value(name)]).ToArray();
        var (q, k, v) = (layouts[0], layouts[1], layouts[2]);
        if (layouts.Any(layout => layout.Sizes.Length != 4 || layout.Strides[3] != 1 || layout.DType != q.DType || layout.Sizes[1] != q.Sizes[1] || layout.Sizes[0] != q.Sizes[0] || layout.Sizes[3] != q.Sizes[3])
            || call.Number("dropout_p") != 0 || node.Outputs.Length != 1)
        {
            return false;
        }

        var isCausal = call.Flag("is_causal");
        var mask = call.Has("attn_mask") ? _layouts[call.Value("attn_mask")] : null;
        if (mask is not null && (isCausal || mask.DType != q.DType || mask.Sizes.Length is not (2 or 4)))
        {
            return false;
        }

        mask = mask?.Expand([q.Sizes[0], q.Sizes[1], q.Sizes[2], k.Sizes[2]]);
        double? scale = call.Has("scale") ? call.Number("scale") : null;
        long[] lies = [q.Sizes[1] * q.Sizes[2] * v.Sizes[3], v.Sizes[3], q.Sizes[1] * v.Sizes[3], 1];
        Direct(node, mask is null ? layouts : [.. layouts, mask], lies, handles => LibTorchCalls.Attend(handles[0], handles[1], handles[2], handles.Length > 3 ? handles[3] : 0, isCausal, scale));
        return true;
    }

    private void Direct(Node node, Layout[] inputs, long[] strides, Func<nint[], nint> call) => Direct(node, inputs, (handles, results) => results[0] = call(handles), strides);

    private void Direct(Node node, Layout[] inputs, DirectCall call, params long[]?[] strides)
    {
        var outputs = node.Outputs.Select((output, i) => new Layout(
            New(BufferKind.Result, _results++, output.Type.DType, output.Type.Elements), 0, output.Type.Shape.ToArray(), strides.ElementAtOrDefault(i) ?? output.Type.Shape.ContiguousStrides.ToArray())).ToArray();
        _steps.Add(new DirectStep { Nodes = [node], Inputs = inputs, Outputs = outputs, Call = call });
        for (var i = 0; i < outputs.Length; i++)
        {
            _layouts[node.Outputs[i]] = outputs[i];
        }
    }
}
