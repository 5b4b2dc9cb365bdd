using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>What is known of a tensor before anything runs. How it lies in memory is no part of it: an operation of a graph gives the same values for every layout.</summary>
/// <param name="DType">Type of its values.</param>
/// <param name="Shape">Its extents.</param>
/// <param name="Device">Where it is: cpu, cuda:0, ...</param>
public sealed record TensorType(ScalarType DType, Shape Shape, string Device = "cpu")
{
    /// <summary>Number of values.</summary>
    public long Elements => Shape.Elements;

    /// <summary>Bytes of its values.</summary>
    public long Bytes => Elements * DataTypes.Size(DType);

    /// <summary>The type of a tensor that there is.</summary>
    public static TensorType Of(Tensor tensor) => new(tensor.dtype, Shape.Create(tensor.shape), DeviceName(tensor.device_type, tensor.device_index));

    /// <summary>As in <c>f32[2, 16, 64]</c>; the device is named where it is not the CPU.</summary>
    public override string ToString() => $"{DataTypes.Name(DType)}{Shape}{(Device == "cpu" ? "" : "@" + Device)}";

    private static string DeviceName(DeviceType type, int index) => type switch
    {
        DeviceType.CPU => "cpu",
        DeviceType.META => "meta",
        _ => $"{type.ToString().ToLowerInvariant()}:{Math.Max(0, index)}",
    };
}
