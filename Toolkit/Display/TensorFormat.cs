using System.Globalization;
using System.Text;
using TorchSharp;

namespace Toolkit.Display;

/// <summary>How a tensor is shown: shape, type, device, statistics and its first values; a matrix also as a heat map.</summary>
internal static class TensorFormat
{
    private const int MostValues = 8;

    /// <summary>Rows and columns that a heat map draws; a larger matrix is sampled evenly.</summary>
    private const int MostCells = 32;

    /// <summary>More values than these are not gone through just to show a tensor.</summary>
    private const long MostMeasured = 1 << 26;

    public static string Type(torch.ScalarType dtype) => dtype.ToString().ToLowerInvariant();

    public static string Shape(IEnumerable<long> shape) => $"({string.Join(", ", shape.Select(size => size.ToString(CultureInfo.InvariantCulture)))})";

    public static string Plain(torch.Tensor tensor) => tensor.IsInvalid ? "tensor (disposed)" : $"tensor {Facts(tensor)}: {Values(tensor)}";

    public static MimeBundle Format(torch.Tensor tensor)
    {
        if (tensor.IsInvalid)
        {
            return MimeBundle.Of(Fragment.Box(Fragment.Note("disposed tensor")), Plain(tensor));
        }

        var statistics = Statistics(tensor);
        var html = $"<code>{Fragment.Encode(Values(tensor))}</code>{HeatMap(tensor)}{Fragment.Note("tensor " + Facts(tensor))}{(statistics.Length > 0 ? Fragment.Note(statistics) : "")}";
        return MimeBundle.Of(Fragment.Box(html), statistics.Length > 0 ? $"{Plain(tensor)}\n{statistics}" : Plain(tensor));
    }

    /// <summary>Smallest, largest, mean and deviation of the finite values, and how many are not finite; empty where that says nothing.</summary>
    private static string Statistics(torch.Tensor tensor)
    {
        if (!IsReadable(tensor) || tensor.numel() is < 2 or > MostMeasured)
        {
            return "";
        }

        using var scope = torch.NewDisposeScope();
        using var gradients = torch.no_grad();
        var all = tensor.detach().to(torch.float64).flatten();
        var finite = all.masked_select(all.isfinite());
        var other = all.numel() - finite.numel();
        var text = finite.numel() == 0
            ? "no finite value"
            : $"min {Number(finite.min().item<double>())}, max {Number(finite.max().item<double>())}, mean {Number(finite.mean().item<double>())}, deviation {Number(finite.std(unbiased: false).item<double>())}";
        return other == 0 ? text : $"{text}; {Units.Count(other)} not finite";
    }

    private static string HeatMap(torch.Tensor tensor)
    {
        if (!IsReadable(tensor) || tensor.dim() != 2 || tensor.shape.Any(size => size < 2))
        {
            return "";
        }

        using var scope = torch.NewDisposeScope();
        using var gradients = torch.no_grad();
        var (rows, columns) = (Picks(tensor.shape[0]), Picks(tensor.shape[1]));
        var sampled = tensor.detach().index_select(0, torch.tensor(rows, device: tensor.device)).index_select(1, torch.tensor(columns, device: tensor.device));
        var values = sampled.to(torch.CPU).to(torch.float64).contiguous().data<double>().ToArray();
        var finite = values.Where(double.IsFinite).DefaultIfEmpty().ToArray();
        var largest = Math.Max(Math.Abs(finite.Min()), Math.Abs(finite.Max()));
        const int Side = 9;
        var svg = new StringBuilder($"<svg width=\"{columns.Length * Side}\" height=\"{rows.Length * Side}\" style=\"display:block;margin:.4em 0\">");
        for (var i = 0; i < values.Length; i++)
        {
            // Blue is positive, red negative, strength the share of the largest magnitude.
            var value = values[i];
            var colour = !double.IsFinite(value) ? "#888" : value >= 0 ? "#3b82c4" : "#cc545e";
            var strength = !double.IsFinite(value) ? 1 : largest > 0 ? Math.Abs(value) / largest : 0;
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{i % columns.Length * Side}\" y=\"{i / columns.Length * Side}\" width=\"{Side}\" height=\"{Side}\" fill=\"{colour}\" fill-opacity=\"{strength:0.##}\"/>");
        }

        var isSampled = rows.Length < tensor.shape[0] || columns.Length < tensor.shape[1];
        return $"{svg}</svg>{(isSampled ? Fragment.Note($"heat map of {rows.Length} × {columns.Length} values, evenly spaced") : "")}";
    }

    private static long[] Picks(long size) =>
        size <= MostCells ? [.. Enumerable.Range(0, (int)size).Select(index => (long)index)] : [.. Enumerable.Range(0, MostCells).Select(index => index * (size - 1) / (MostCells - 1))];

    private static bool IsReadable(torch.Tensor tensor) => !tensor.is_sparse && !tensor.is_complex() && tensor.device_type != DeviceType.META && tensor.dtype != torch.ScalarType.Bool;

    private static string Number(double value) => value.ToString("G4", CultureInfo.InvariantCulture);

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
