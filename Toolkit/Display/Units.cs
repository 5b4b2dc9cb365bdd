using System.Globalization;

namespace Toolkit.Display;

/// <summary>Numbers as people read them, always with a decimal point: 1.5 MB, 12.3 GB/s, 4 min 10 s.</summary>
internal static class Units
{
    private static readonly string[] Prefixes = ["", "k", "M", "G", "T", "P"];

    /// <summary>Decimal units, so that bytes and bytes a second are on one scale.</summary>
    public static string Bytes(double bytes) => $"{Scaled(bytes, "F1")}B";

    public static string BytesPerSecond(double rate) => $"{Scaled(rate, "F1")}B/s";

    public static string Flops(double rate) => $"{Scaled(rate, "F1")}FLOP/s";

    public static string Rate(double rate, string unit) => $"{Significant(rate)} {unit}/s";

    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A parameter count as papers write it: 124M, 1.1B.</summary>
    public static string Parameters(long count) => count switch
    {
        >= 1_000_000_000 => Fixed(count / 1e9, 2) + "B",
        >= 1_000_000 => Fixed(count / 1e6, 1) + "M",
        >= 1_000 => Fixed(count / 1e3, 1) + "k",
        _ => count.ToString(CultureInfo.InvariantCulture),
    };

    public static string Percent(double fraction) => $"{Fixed(100 * fraction, 1)} %";

    public static string Fixed(double value, int digits) => value.ToString($"F{digits}", CultureInfo.InvariantCulture);

    public static string Significant(double value) => Math.Abs(value) switch
    {
        >= 1000 and < 1e9 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 100 and < 1000 => Fixed(value, 0),
        _ => value.ToString("G4", CultureInfo.InvariantCulture),
    };

    /// <summary>A learning rate: 3e-4 rather than 0.0003.</summary>
    public static string Small(double value) => value is 0 || Math.Abs(value) is >= 0.001 and < 1000 || !double.IsFinite(value)
        ? value.ToString("G4", CultureInfo.InvariantCulture)
        : value.ToString("0.###e-0", CultureInfo.InvariantCulture);

    public static string Duration(TimeSpan span) => span switch
    {
        { TotalHours: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(long)span.TotalHours} h {span.Minutes:00} min"),
        { TotalMinutes: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.Minutes} min {span.Seconds:00} s"),
        { TotalSeconds: >= 10 } => $"{Fixed(span.TotalSeconds, 0)} s",
        { TotalSeconds: >= 1 } => $"{Fixed(span.TotalSeconds, 1)} s",
        { TotalMilliseconds: >= 1 } => $"{Fixed(span.TotalMilliseconds, 1)} ms",
        { Ticks: 0 } => "0 s",
        _ => $"{Fixed(span.TotalMicroseconds, 1)} µs",
    };

    /// <summary>One cell of a table.</summary>
    public static string Cell(object? value) => value switch
    {
        null => "",
        string text => text,
        double number => Number(number),
        float number => Number(number),
        TimeSpan span => Duration(span),
        Evaluation.MemoryUse memory => Bytes(memory.Total),
        Evaluation.EvaluationResult result => $"loss {Fixed(result.Loss, 4)}",
        TorchSharp.torch.Tensor tensor => TensorFormat.Plain(tensor),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        System.Collections.IEnumerable items => string.Join(", ", items.Cast<object?>().Take(8).Select(Cell)),
        _ => value.ToString() ?? "",
    };

    private static string Number(double value) => value.ToString("G6", CultureInfo.InvariantCulture);

    private static string Scaled(double value, string format)
    {
        var power = 0;
        while (double.IsFinite(value) && Math.Abs(value) >= 1000 && power < Prefixes.Length - 1)
        {
            (value, power) = (value / 1000, power + 1);
        }

        return value.ToString(power == 0 ? "F0" : format, CultureInfo.InvariantCulture) + " " + Prefixes[power];
    }
}
