using System.Text.RegularExpressions;
using Toolkit.Graphs.Cpu;

namespace Toolkit.Display;

/// <summary>C# with its words coloured.</summary>
internal static partial class CodeView
{
    private const string Style = """
        <style>
        .tk-code{font:12px/1.5 ui-monospace,Consolas,monospace;white-space:pre;overflow:auto;max-height:42em;margin:.3em 0;tab-size:4}
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

    /// <summary>Kernels, the dearest first: by time where it was measured, else by bytes.</summary>
    public static MimeBundle Of(IReadOnlyList<CpuKernelInfo> kernels)
    {
        var isMeasured = kernels.Any(kernel => kernel.Time is not null);
        string[] columns = ["kernel", "calls", "bytes", "FLOPs", "operations"];
        var rows = kernels.OrderByDescending(kernel => kernel.Time ?? TimeSpan.Zero).ThenByDescending(kernel => kernel.Bytes).Select(kernel => (IReadOnlyList<object?>)
        [
            kernel.Name, kernel.Calls, .. isMeasured ? [kernel.Time is { } time ? Units.Duration(time) : ""] : Array.Empty<object?>(), Units.Bytes(kernel.Bytes), Units.Count(kernel.Flops),
            .. isMeasured ? [kernel.Time is { } measured ? Rate(kernel, measured) : ""] : Array.Empty<object?>(),
            string.Join(" ", kernel.Nodes[0].Select(node => node.Operator.Name.Split("::")[^1]).Distinct()),
        ]);
        return new TableView(isMeasured ? ["kernel", "calls", "time", "bytes", "FLOPs", "rate", "operations"] : columns, rows) { Note = kernels.Count == 0 ? "no kernels" : "" }.ToMimeBundle();
    }

    /// <summary>A compiled graph: its kernels, and what is not a kernel.</summary>
    public static MimeBundle Of(CpuExecutable executable)
    {
        var table = Of(executable.Kernels);
        string[] notes =
        [
            $"intermediates: {Units.Bytes(executable.ArenaBytes)} ({Units.Bytes(executable.IntermediateBytes)} side by side); matrix products of libtorch: {executable.LibTorchProducts}; machine code from: {executable.KernelOrigin}",
            .. Alike(executable.FallbackCalls.Select(call => $"through TorchSharp: {call.Node.Operator.Name} {call.Node.Origin} ({call.Count} times)")),
            .. Alike(executable.LayoutCopies.Select(copy => $"copied: {copy}")),
        ];
        return MimeBundle.Of(table.Html + Fragment.Box(string.Concat(notes.Select(Fragment.Note))), string.Join('\n', [table.Plain.TrimEnd(), .. notes]));
    }

    /// <summary>Lines that differ in the numbers of layers only are one.</summary>
    private static IEnumerable<string> Alike(IEnumerable<string> lines) =>
        lines.GroupBy(line => LayerNumbers().Replace(line, ".*")).Select(group => group.Count() == 1 ? group.First() : $"{group.Key}, in {group.Count()} places");

    private static IEnumerable<string> Facts(CpuKernelInfo kernel)
    {
        yield return $"{Units.Count(kernel.Calls)} {(kernel.Calls == 1 ? "call" : "calls")}";
        yield return Units.Bytes(kernel.Bytes);
        yield return $"{Units.Count(kernel.Flops)} FLOPs";
        if (kernel.Time is { } time)
        {
            yield return Units.Duration(time);
            yield return Rate(kernel, time);
        }
    }

    private static string Rate(CpuKernelInfo kernel, TimeSpan time) => Units.BytesPerSecond(kernel.Bytes / Math.Max(1e-9, time.TotalSeconds));

    private static string Html(string code) => $"{Style}<div class=\"tk-code\">{Words().Replace(Fragment.Encode(code), Coloured)}</div>";

    private static string Coloured(Match match)
    {
        var kind = match.Groups.Values.Skip(1).First(group => group.Success).Name;
        return $"<span class=\"{kind}\">{match.Value}</span>";
    }

    [GeneratedRegex(@"\.\d+(?=[. ])")]
    private static partial Regex LayerNumbers();

    // The text is HTML already: a quotation mark is an entity.
    [GeneratedRegex(
        """(?<c>//[^\n]*)|(?<s>&quot;.*?&quot;)|(?<k>\b(?:public|private|static|unsafe|void|var|for|if|else|while|return|break|continue|new|long|float|double|int|bool|byte|ushort|short|sbyte|ulong|true|false)\b)|(?<t>\b(?:VF|VI|V|Math|MathF|Span|ReadOnlySpan|Half|MethodImpl|MethodImplOptions)\b)|(?<f>\b[A-Z]\w*(?=\())|(?<n>\b\d[\d.]*(?:E[+-]?\d+)?[fLd]?\b)""")]
    private static partial Regex Words();
}
