using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Cpu;

internal static unsafe partial class LibTorchCalls
{
    /// <summary>Convolution; a bias of 0 is none.</summary>
    public static nint Convolve(nint input, nint weight, nint bias, long[] stride, long[] padding, long[] dilation, long groups)
    {
        var none = new long[stride.Length];
        fixed (long* s = stride)
        fixed (long* p = padding)
        fixed (long* d = dilation)
        fixed (long* o = none)
        {
            var status = aoti_torch_cpu_convolution(input, weight, bias == 0 ? null : &bias, s, stride.Length, p, padding.Length, d, dilation.Length, 0, o, none.Length, groups, out var result);
            Check(status, "convolution");
            return result;
        }
    }

    /// <summary>Gradients of a convolution's input, weight and bias.</summary>
    /// <param name="given">The gradient of what came out, the input and the weight.</param>
    /// <param name="bias">The shape of the bias; null where its gradient is not wanted.</param>
    /// <param name="stride">As the convolution had it.</param>
    /// <param name="padding">Likewise.</param>
    /// <param name="dilation">Likewise.</param>
    /// <param name="groups">Likewise.</param>
    /// <param name="wanted">Which gradients are wanted.</param>
    /// <param name="results">The gradients; 0 for those that are not.</param>
    public static void ConvolveBackward(nint[] given, long[]? bias, long[] stride, long[] padding, long[] dilation, long groups, int[] wanted, Span<nint> results)
    {
        var none = new long[stride.Length];
        fixed (long* s = stride)
        fixed (long* p = padding)
        fixed (long* d = dilation)
        fixed (long* o = none)
        fixed (long* b = bias)
        fixed (int* w = wanted)
        fixed (nint* r = results)
        {
            var sizes = b;
            var status = aoti_torch_cpu_convolution_backward(
                given[0], given[1], given[2], bias is null ? null : &sizes, bias?.Length ?? 0, s, stride.Length, p, padding.Length, d, dilation.Length, 0, o, none.Length, groups, w, wanted.Length, r, r + 1, r + 2);
            Check(status, "convolution_backward");
        }

        for (var i = 0; i < wanted.Length; i++)
        {
            if (wanted[i] == 0)
            {
                Delete(results[i]);
                results[i] = 0;
            }
        }
    }

    /// <summary>The greatest value of each window.</summary>
    public static nint MaxPool(nint input, long[] kernel, long[] stride, long[] padding, long[] dilation, bool isCeiling)
    {
        fixed (long* k = kernel)
        fixed (long* s = stride)
        fixed (long* p = padding)
        fixed (long* d = dilation)
        {
            var status = aoti_torch_cpu_max_pool2d_with_indices(
                input, k, kernel.Length, s, stride.Length, p, padding.Length, d, dilation.Length, isCeiling ? 1 : 0, out var result, out var indices);
            Check(status, "max_pool2d_with_indices");
            Delete(indices);
            return result;
        }
    }

    /// <summary>Attention over (B, H, T, D); a mask of 0 is none.</summary>
    public static nint Attend(nint query, nint key, nint value, nint mask, bool isCausal, double? scale)
    {
        var factor = scale ?? 0;
        var status = aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0, isCausal ? 1 : 0, mask == 0 ? null : &mask, scale is null ? null : &factor, out var result, out var logarithms);
        Check(status, "_scaled_dot_product_flash_attention_for_cpu");
        Delete(logarithms);
        return result;
    }

    /// <summary>A copy of a tensor that lies as wanted; the tensor is freed.</summary>
    public static nint Relaid(nint tensor, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, TorchSharp.torch.ScalarType type)
    {
        var copy = Empty(sizes, strides, type);
        Check(aoti_torch_copy_(copy, tensor, 0), "copy_");
        Delete(tensor);
        return copy;
    }

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_copy_(nint self, nint source, int isNonBlocking);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_cpu_convolution(
        nint input, nint weight, nint* bias, long* stride, long strides, long* padding, long paddings, long* dilation, long dilations, int transposed, long* outputPadding, long outputPaddings, long groups, out nint result);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_cpu_convolution_backward(
        nint gradient, nint input, nint weight, long** bias, long biases, long* stride, long strides, long* padding, long paddings, long* dilation, long dilations, int transposed, long* outputPadding,
        long outputPaddings, long groups, int* mask, long masks, nint* inputGradient, nint* weightGradient, nint* biasGradient);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_cpu_max_pool2d_with_indices(
        nint input, long* kernel, long kernels, long* stride, long strides, long* padding, long paddings, long* dilation, long dilations, int isCeiling, out nint result, out nint indices);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu(
        nint query, nint key, nint value, double dropout, int isCausal, nint* mask, double* scale, out nint result, out nint logarithms);
}
