using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>What a tensor was: type of values, extents, device, whether it lies row after row, and, where gradients are recorded, whether it takes part. Checked in some ten nanoseconds.</summary>
internal sealed unsafe class TensorCheck
{
    private readonly int _dtype;
    private readonly long[] _sizes;
    private readonly long[]? _strides;
    private readonly DeviceType _device;
    private readonly int _deviceIndex;
    private readonly bool? _requiresGradient;

    /// <summary>What a tensor is now.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="withGradient">Whether it matters that gradients of it are recorded.</param>
    public TensorCheck(Tensor tensor, bool withGradient)
    {
        (_dtype, _sizes, _device, _deviceIndex) = ((int)tensor.dtype, tensor.shape, tensor.device_type, tensor.device_index);
        _requiresGradient = withGradient ? tensor.requires_grad : null;
        var isStrided = !tensor.is_sparse;
        _strides = isStrided && !tensor.is_contiguous() ? tensor.stride() : null;
        Type = TensorType.Of(tensor);
    }

    /// <summary>Its type.</summary>
    public TensorType Type { get; }

    /// <summary>Whether another is the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // as GuardTable's
    public bool Holds(Tensor? tensor)
    {
        if (tensor is null || tensor.IsInvalid)
        {
            return false;
        }

        var handle = tensor.Handle;
        int dtype, device;
        long dimensions;
        long* sizes;
        long* strides;
        aoti_torch_get_dtype(handle, &dtype);
        aoti_torch_get_device_type(handle, &device);
        aoti_torch_get_dim(handle, &dimensions);
        if (dtype != _dtype || device != (int)_device || dimensions != _sizes.Length)
        {
            return false;
        }

        aoti_torch_get_sizes(handle, &sizes);
        aoti_torch_get_strides(handle, &strides);
        var same = new ReadOnlySpan<long>(sizes, _sizes.Length).SequenceEqual(_sizes) && HasLayout(strides);
        GC.KeepAlive(tensor); // another thread may have put something else where it was read
        if (same && _device != DeviceType.CPU)
        {
            same = tensor.device_index == _deviceIndex;
        }

        return same && (_requiresGradient is not { } required || tensor.requires_grad == required);
    }

    /// <summary>Whether another is the same but for the sizes of some dimensions.</summary>
    public bool HoldsBut(Tensor? tensor, IEnumerable<int> dimensions)
    {
        if (tensor is null || tensor.IsInvalid || (int)tensor.dtype != _dtype || tensor.device_type != _device || tensor.device_index != _deviceIndex || tensor.dim() != _sizes.Length)
        {
            return false;
        }

        var free = dimensions.Select(dimension => dimension < 0 ? dimension + _sizes.Length : dimension).ToHashSet();
        return tensor.shape.Select((size, i) => size == _sizes[i] || free.Contains(i)).All(same => same)
            && tensor.is_contiguous() == _strides is null && (_requiresGradient is not { } required || tensor.requires_grad == required);
    }

    public override string ToString() =>
        $"{Type}{(_strides is null ? "" : $" with strides [{string.Join(", ", _strides)}]")}{(_requiresGradient is true ? " that requires gradients" : "")}";

    private bool HasLayout(long* strides)
    {
        if (_strides is not null)
        {
            return new ReadOnlySpan<long>(strides, _sizes.Length).SequenceEqual(_strides);
        }

        long expected = 1;
        for (var i = _sizes.Length - 1; i >= 0; i--)
        {
            if (_sizes[i] != 1 && strides[i] != expected)
            {
                return Type.Elements == 0;
            }

            expected *= _sizes[i];
        }

        return true;
    }

    [DllImport("torch_cpu"), SuppressGCTransition]
    private static extern int aoti_torch_get_dtype(nint tensor, int* dtype);

    [DllImport("torch_cpu"), SuppressGCTransition]
    private static extern int aoti_torch_get_device_type(nint tensor, int* device);

    [DllImport("torch_cpu"), SuppressGCTransition]
    private static extern int aoti_torch_get_dim(nint tensor, long* dimensions);

    [DllImport("torch_cpu"), SuppressGCTransition]
    private static extern int aoti_torch_get_sizes(nint tensor, long** sizes);

    [DllImport("torch_cpu"), SuppressGCTransition]
    private static extern int aoti_torch_get_strides(nint tensor, long** strides);
}
