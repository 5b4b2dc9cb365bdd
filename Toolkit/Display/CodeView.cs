using System.Text.RegularExpressions;
using Toolkit.Graphs.Cpu;

namespace Toolkit.Display;

/// <summary>C# with its words coloured.</summary>
internal static partial class CodeView
{
    private const string Style = """
        <style>
        .tk-code{font:12px/1.5 ui-monospace,Consolas,monospace;white-space:pre;overflow-x:auto;margin:.3em 0;tab-size:4}
        .tk-code .k{color:#3b82c4}.tk-code .c{opacity:.62;font-style:italic}.tk-code .n{color:#b06a1c}.tk-code .s{color:#4c9a5c}.tk-code .t{color:#9268c0}.tk-code .f{font-weight:600}
        </style>
        """;

    /// <summary>A kernel's method.</summary>
    public static MimeBundle Of(KernelSource source) => MimeBundle.Of(Fragment.Box(Html(source.Text), source.Name), source.Text);

    /// <summary>A kernel: what it costs, then its method.</summary>
    public static MimeBundle Of(CpuKernelInfo kernel)
    {
        var line = string.Join(", ", Facts(kernel));
        return MimeBundle.Of(Fragment.Box(Fragment.Note(line) + Html(kernel.Source.Text), kernel.Name), $"{kernel.Name}: {line}\n{kernel.Source.Text}");
    }

    /// <summary>A compiled graph: its kernels, dearest first, and what is not a kernel.</summary>
    public static MimeBundle Of(CpuExecutable executable)
    {
        var table = TableView.Of(executable.Kernels.OrderByDescending(kernel => kernel.Time ?? TimeSpan.Zero).ThenByDescending(kernel => kernel.Bytes).Select(kernel => new
        {
            Kernel = kernel.Name,
            Calls = Units.Count(kernel.Calls),
            Time = kernel.Time is { } time ? Units.Duration(time) : "",
            Bytes = Units.Bytes(kernel.Bytes),
            FLOPs = Units.Count(kernel.Flops),
            Rate = kernel.Time is { } measured ? Units.BytesPerSecond(kernel.Bytes / Math.Max(1e-9, measured.TotalSeconds)) : "",
            Operations = string.Join(" ", kernel.Nodes[0].Select(node => node.Operator.Name.Split("::")[^1]).Distinct()),
        })).ToMimeBundle();
        string[] notes =
        [
            $"intermediates: {Units.Bytes(executable.ArenaBytes)} ({Units.Bytes(executable.IntermediateBytes)} side by side); matrix products of libtorch: {executable.LibTorchProducts}; machine code from: {executable.KernelOrigin}",
            .. executable.FallbackCalls.Select(call => $"through TorchSharp: {call.Node.Operator.Name} {call.Node.Origin} ({call.Count} times)"),
            .. executable.LayoutCopies.Select(copy => $"copied: {copy}"),
        ];
        return MimeBundle.Of(table.Html + Fragment.Box(string.Concat(notes.Select(Fragment.Note))), string.Join('\n', [table.Plain.TrimEnd(), .. notes]));
    }

    private static IEnumerable<string> Facts(CpuKernelInfo kernel)
    {
        yield return $"{Units.Count(kernel.Calls)} calls";
        yield return Units.Bytes(kernel.Bytes);
        yield return $"{Units.Count(kernel.Flops)} FLOPs";
        if (kernel.Time is { } time)
        {
            yield return Units.Duration(time);
            yield return Units.BytesPerSecond(kernel.Bytes / Math.Max(1e-9, time.TotalSeconds));
        }
    }

    private static string Html(string code) => $"{Style}<div class=\"tk-code\">{Words().Replace(Fragment.Encode(code), Coloured)}</div>";

    private static string Coloured(Match match)
    {
        var kind = match.Groups.Values.Skip(1).First(group => group.Success).Name;
        return $"<span class=\"{kind}\">{match.Value}</span>";
    }

    // The text is HTML already: a quotation mark is an entity.
    [GeneratedRegex(
        """(?<c>//[^\n]*)|(?<s>&quot;.*?&quot;)|(?<k>\b(?:public|private|static|unsafe|void|var|for|if|else|while|return|break|continue|new|long|float|double|int|bool|byte|ushort|short|sbyte|ulong|true|false)\b)|(?<t>\b(?:VF|VI|V|Math|MathF|Span|ReadOnlySpan|Half|MethodImpl|MethodImplOptions)\b)|(?<f>\b(?:Load|Store|Spread|Fma|Sum|Exp|Tanh|Sigmoid|Erf|Log|Sqrt|Max|Min|Select|Greatest|Least|Get|Set)(?=\())|(?<n>\b\d[\d.]*(?:E[+-]?\d+)?[fLd]?\b)""")]
    private static partial Regex Words();
}
