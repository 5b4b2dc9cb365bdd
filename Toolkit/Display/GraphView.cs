using System.Collections.Immutable;
using Toolkit.Graphs;
using Toolkit.Graphs.Passes;

namespace Toolkit.Display;

/// <summary>Graphs, what passes did to them, and what became of a compiled module.</summary>
internal static class GraphView
{
    private const int MostRows = 400;

    /// <summary>A graph: drawn, and as a table of its operations by module path and source line.</summary>
    public static MimeBundle Of(Graph graph)
    {
        var title = Title(graph);
        var table = new TableView(["", "module", "operation", "result", "line"], graph.Nodes.Take(MostRows).Select((node, i) => (IReadOnlyList<object?>)
        [
            i, node.Origin.Module, $"{Operation(node)}({Arguments(node)})", string.Join(", ", node.Outputs.Select(output => output.ToString())), Line(node.Origin),
        ]))
        {
            Note = graph.Nodes.Length > MostRows ? $"the first {MostRows} of {Units.Count(graph.Nodes.Length)} operations" : "",
        }.ToMimeBundle();
        var html = Fragment.Box($"{GraphDrawing.Html(graph)}<details><summary>{Units.Count(graph.Nodes.Length)} operations as a table</summary>{table.Html}</details>", title);
        return MimeBundle.Of(html, $"{title}\n{table.Plain}");
    }

    /// <summary>What a graph takes: in all, and by operation, the dearest first.</summary>
    public static MimeBundle Of(GraphCost cost)
    {
        var rows = cost.Nodes.GroupBy(node => node.Node.Operator.Name).OrderByDescending(group => group.Sum(node => node.Flops)).ThenByDescending(group => group.Sum(node => node.BytesRead + node.BytesWritten))
            .Select(group => (IReadOnlyList<object?>)
            [
                group.Key, group.Count(), Units.Count(group.Sum(node => node.Flops)), Units.Bytes(group.Sum(node => node.BytesRead)), Units.Bytes(group.Sum(node => node.BytesWritten)),
            ]);
        var table = new TableView(["operation", "calls", "FLOPs", "read", "written"], rows)
        {
            Note = $"{Units.Bytes(cost.PeakActivationBytes)} of activations at most, {Units.Bytes(cost.ParameterBytes)} of parameters",
        }.ToMimeBundle();
        var title = $"{Units.Count(cost.Flops)} FLOPs, {Units.Bytes(cost.BytesRead)} read, {Units.Bytes(cost.BytesWritten)} written";
        return MimeBundle.Of(Fragment.Box(table.Html!, title), $"{cost}\n{table.Plain}");
    }

    /// <summary>What each pass did.</summary>
    public static MimeBundle Of(ImmutableArray<PassRecord> passes)
    {
        var rows = passes.Select(pass => (IReadOnlyList<object?>)[pass.Pass, pass.Before.Nodes.Length, pass.After.Nodes.Length, pass.Elapsed]);
        var table = new TableView(["pass", "nodes before", "nodes after", "time"], rows) { Title = "Passes" }.ToMimeBundle();
        if (passes.IsDefaultOrEmpty)
        {
            return table;
        }

        var sides = $"<details><summary>before and after</summary><div style=\"display:flex;gap:12px;flex-wrap:wrap\"><div><div class=\"tk-note\">before</div>{GraphDrawing.Html(passes[0].Before)}</div><div><div class=\"tk-note\">after</div>{GraphDrawing.Html(passes[^1].After)}</div></div></details>";
        return MimeBundle.Of(table.Html + Fragment.Box(sides), table.Plain);
    }

    /// <summary>What one pass did: the graph before it and after it.</summary>
    public static MimeBundle Of(PassRecord pass)
    {
        var title = $"{pass.Pass}: {pass.Before.Nodes.Length} operations became {pass.After.Nodes.Length} in {Units.Duration(pass.Elapsed)}";
        return MimeBundle.Of(
            Fragment.Box($"<div style=\"display:flex;gap:12px;flex-wrap:wrap\"><div>{GraphDrawing.Html(pass.Before)}</div><div>{GraphDrawing.Html(pass.After)}</div></div>", title),
            $"{title}\nbefore:\n{Of(pass.Before).Plain}\nafter:\n{Of(pass.After).Plain}");
    }

    /// <summary>What became of a compiled module so far.</summary>
    public static MimeBundle Of(CompileReport report)
    {
        string[] lines = [.. report.ToString().Split('\n')];
        var breaks = report.Breaks.Length == 0 ? "" : new TableView(["break", "instead", "where"], report.Breaks.Select(entry => (IReadOnlyList<object?>)[entry.Reason, entry.Advice, entry.Origin.ToString()])).ToMimeBundle().Html;
        var others = lines.Skip(1).Where(line => !line.StartsWith("break:", StringComparison.Ordinal));
        return MimeBundle.Of(Fragment.Box($"{Fragment.Encode(lines[0])}{breaks}{string.Concat(others.Select(Fragment.Note))}", "Compiled module"), report.ToString());
    }

    /// <summary>A compiled module: what became of its calls, and its kernels.</summary>
    public static MimeBundle Of(ICompiledModule module)
    {
        var report = module.Explain();
        var head = Of(report);
        IExecutable[] parts = report.Graphs.Length == 0 ? [] : module.Executable is Graphs.Dispatch.TrainingGraph training ? training.Variant is { } passes ? [passes.Forward, passes.Backward] : [] : [module.Executable];
        return parts.OfType<CompiledGraph>().Select(Of).Aggregate(head, (whole, part) => MimeBundle.Of(whole.Html + part.Html, $"{whole.Plain}\n{part.Plain}"));
    }

    /// <summary>What a graph was made into.</summary>
    public static MimeBundle Of(CompiledGraph compiled) =>
        compiled.Executable is Graphs.Cpu.CpuExecutable cpu ? CodeView.Of(cpu) : MimeBundle.Text($"runs operation by operation: {compiled.WhyInterpreted}");

    /// <summary>As in <c>addmm</c> or <c>fused: mul, tanh</c>.</summary>
    public static string Operation(Node node) => node.Body is { } body
        ? $"fused: {string.Join(", ", body.Nodes.Select(inner => Name(inner.Operator)).Distinct().Take(5))}{(body.Nodes.Length > 5 ? " …" : "")}"
        : Name(node.Operator);

    private static string Title(Graph graph)
    {
        int Count(GraphInputKind kind) => graph.Inputs.Count(input => input.Kind == kind);
        return $"Graph: {Units.Count(graph.Nodes.Length)} operations, {Count(GraphInputKind.Argument)} arguments, {Count(GraphInputKind.Parameter)} parameters"
            + (Count(GraphInputKind.Constant) is > 0 and var constants ? $", {constants} constants" : "") + (graph.Mutations.Length > 0 ? $", overwrites {graph.Mutations.Length} inputs" : "");
    }

    private static string Name(Operator op) => op.Name.StartsWith("aten::", StringComparison.Ordinal) ? op.Name["aten::".Length..] : op.Name;

    private static string Arguments(Node node) => string.Join(", ", node.Arguments.Select(argument => argument switch
    {
        ValueArgument { Value: GraphInput { Kind: not GraphInputKind.Argument } input } => input.Path,
        _ => argument.ToString() ?? "",
    }).Where(text => text != "none"));

    private static string Line(Origin origin) => origin.File is null ? origin.Method : $"{Path.GetFileName(origin.File)}:{origin.Line}";
}
