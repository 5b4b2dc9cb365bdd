using Spectre.Console;
using Spectre.Console.Rendering;

namespace Toolkit.Display;

/// <summary>Renders Spectre.Console widgets and sparklines to plain text, without colour, for terminals, logs and tests.</summary>
internal static class PlainText
{
    public const int Width = 100;

    private const string Blocks = "▁▂▃▄▅▆▇█";

    public static string Render(IRenderable widget)
    {
        using var writer = new StringWriter { NewLine = "\n" };
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = Width;
        console.Profile.Capabilities.Unicode = true;
        console.Write(widget);
        return string.Join('\n', writer.ToString().ReplaceLineEndings("\n").Split('\n').Select(line => line.TrimEnd())).Trim('\n');
    }

    /// <summary>A line of block characters, each the mean of its share of the values; a value that is not finite leaves a gap.</summary>
    public static string Sparkline(IReadOnlyList<double> values, int width = 48)
    {
        if (values.Count == 0)
        {
            return "";
        }

        var cells = Enumerable.Range(0, Math.Min(width, values.Count)).Select(cell => Mean(values, cell, Math.Min(width, values.Count))).ToArray();
        var finite = cells.Where(double.IsFinite).ToArray();
        var low = finite.Length > 0 ? finite.Min() : 0;
        var range = finite.Length > 0 ? finite.Max() - low : 0;
        return string.Concat(cells.Select(value => !double.IsFinite(value) ? ' ' : Blocks[range > 0 ? (int)Math.Round((value - low) / range * (Blocks.Length - 1)) : 3]));
    }

    /// <summary>A bar of fixed width: ████████░░░░.</summary>
    public static string Bar(double fraction, int width = 40)
    {
        var filled = double.IsFinite(fraction) ? (int)Math.Round(Math.Clamp(fraction, 0, 1) * width) : 0;
        return new string('█', filled) + new string('░', width - filled);
    }

    private static double Mean(IReadOnlyList<double> values, int cell, int cells)
    {
        var (first, end) = ((int)((long)cell * values.Count / cells), (int)((cell + 1L) * values.Count / cells));
        var finite = Enumerable.Range(first, end - first).Select(index => values[index]).Where(double.IsFinite).ToArray();
        return finite.Length > 0 ? finite.Average() : double.NaN;
    }
}
