using System.Globalization;
using TorchSharp;

namespace Toolkit.Display;

/// <summary>How a tensor is shown: shape, type, device and its first values.</summary>
internal static class TensorFormat
{
    private const int MostValues = 8;

    public static string Type(torch.ScalarType dtype) => dtype.ToString().ToLowerInvariant();

    public static string Shape(IEnumerable<long> shape) => $"({string.Join(", ", shape.Select(size => size.ToString(CultureInfo.InvariantCulture)))})";

    public static string Plain(torch.Tensor tensor) => tensor.IsInvalid ? "tensor (disposed)" : $"tensor {Facts(tensor)}: {Values(tensor)}";

    public static MimeBundle Format(torch.Tensor tensor) => MimeBundle.Of(
        Fragment.Box(tensor.IsInvalid ? Fragment.Note("disposed tensor") : $"<code>{Fragment.Encode(Values(tensor))}</code>{Fragment.Note("tensor " + Facts(tensor))}"),
        Plain(tensor));

    private static string Facts(torch.Tensor tensor) =>
        $"{Shape(tensor.shape)} {Type(tensor.dtype)} {tensor.device.ToString().ToLowerInvariant()}, {Units.Count(tensor.numel())} values, {Units.Bytes(tensor.numel() * tensor.element_size())}";

    private static string Values(torch.Tensor tensor)
    {
        if (tensor.is_sparse || tensor.is_complex() || tensor.device_type == DeviceType.META)
        {
            return "[…]";
        }

        using var scope = torch.NewDisposeScope();
        using var gradients = torch.no_grad();
        var count = tensor.numel();
        // The first values come from the leading slices: flattening a large strided tensor would copy all of it.
        var head = tensor.detach();
        while (head.dim() > 1 && head.shape[0] > 0)
        {
            head = head.narrow(0, 0, Math.Min(head.shape[0], MostValues)).flatten(0, 1);
        }

        var values = count == 0 ? [] : head.flatten().narrow(0, 0, Math.Min(head.numel(), MostValues)).to(torch.CPU).to(torch.float64).data<double>().ToArray();
        return $"[{string.Join(", ", values.Select(value => value.ToString("G5", CultureInfo.InvariantCulture)))}{(count > MostValues ? ", …" : "")}]";
    }
}
