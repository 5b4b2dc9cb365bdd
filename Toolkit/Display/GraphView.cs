using System.Collections.Immutable;
using Toolkit.Graphs;
using Toolkit.Graphs.Passes;

namespace Toolkit.Display;

/// <summary>Graphs, what passes did to them, and what became of a compiled module.</summary>
internal static class GraphView
{
    private const int MostRows = 400;
    private const int LineColumn = 84;

    /// <summary>A graph: drawn, and as a table of its operations by module path and source line.</summary>
    public static MimeBundle Of(Graph graph)
    {
        var title = $"Graph: {graph}";
        var names = Names(graph);
        var table = new TableView(["", "module", "operation", "result", "line"], graph.Nodes.Take(MostRows).Select((node, i) => (IReadOnlyList<object?>)
        [
            i, node.Origin.Module, $"{Operation(node)}({Arguments(node, names)})", string.Join(", ", node.Outputs.Select(output => output.ToString())), Line(node.Origin).Replace(' ', '\u00a0'),
        ]))
        {
            Note = graph.Nodes.Length > MostRows ? $"the first {MostRows} of {Units.Count(graph.Nodes.Length)} operations" : "",
        }.ToMimeBundle();
        var html = Fragment.Box($"{GraphDrawing.Html(graph)}<details><summary>{Units.Count(graph.Nodes.Length)} operations as a table</summary>{table.Html}</details>", title);
        return MimeBundle.Of(html, $"{title}\n{string.Join('\n', Lines(graph, names))}");
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
    public static MimeBundle Of(CompileReport report, string title = "Compiled module")
    {
        string[] lines = [.. report.ToString().Split('\n')];
        var breaks = report.Breaks.Length == 0 ? "" : new TableView(["break", "instead", "where"], report.Breaks.Select(entry => (IReadOnlyList<object?>)[entry.Reason, entry.Advice, entry.Origin.ToString()])).ToMimeBundle().Html;
        var others = lines.Skip(1).Where(line => !line.StartsWith("break:", StringComparison.Ordinal));
        return MimeBundle.Of(Fragment.Box($"{Fragment.Encode(lines[0])}{breaks}{string.Concat(others.Select(Fragment.Note))}", title), report.ToString());
    }

    /// <summary>Several of them.</summary>
    public static MimeBundle Of(IReadOnlyList<CompileReport> reports)
    {
        var all = reports.Select(report => Of(report)).ToArray();
        return MimeBundle.Of(string.Concat(all.Select(one => one.Html)), string.Join('\n', all.Select(one => one.Plain)));
    }

    /// <summary>A compiled module: what became of its calls, and its kernels.</summary>
    public static MimeBundle Of(ICompiledModule module)
    {
        var report = module.Explain();
        var title = module.ToString()!.Split(':')[0];
        var state = Of(report, title);
        var head = MimeBundle.Of(state.Html!, $"{title}\n{state.Plain}");
        IExecutable[] parts = report.Graphs.Length == 0 ? [] : module.Executable is Graphs.Autograd.TrainingGraph training ? training.Variant is { } passes ? [passes.Forward, passes.Backward] : [] : [module.Executable];
        return parts.OfType<CompiledGraph>().Select(Of).Aggregate(head, (whole, part) => MimeBundle.Of(whole.Html + part.Html, $"{whole.Plain}\n{part.Plain}"));
    }

    /// <summary>A compiled decode step: what became of it, and its kernels.</summary>
    public static MimeBundle Of(CompiledDecoder decoder)
    {
        var head = Fragment.Box("", $"{decoder.Model}, compiled decoding");
        var reports = Of(decoder.Reports);
        var kernels = decoder.Reports.Any(report => report.Graphs.Length > 0) && decoder.Executable is CompiledGraph compiled ? Of(compiled) : MimeBundle.Of("", "");
        return MimeBundle.Of(head + reports.Html + kernels.Html, $"{decoder}\n{kernels.Plain}".TrimEnd());
    }

    /// <summary>A compiled module from a file: what it serves, what it was made with, and its kernels.</summary>
    public static MimeBundle Of(CompiledArtifact artifact)
    {
        string[] notes =
        [
            artifact.Path, $"saved by {artifact.Versions}",
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{artifact.Weights.Count} weights, {Units.Bytes(artifact.Weights.Values.Sum(weight => weight.numel() * weight.element_size()))}; {artifact.LoadedCode} of the saved assemblies {(artifact.LoadedCode == 1 ? "fits" : "fit")} this machine"),
        ];
        var graphs = artifact.Executables.Select(Of).ToArray();
        return MimeBundle.Of(
            Fragment.Box(string.Concat(notes.Select(Fragment.Note)), artifact.ToString()) + string.Concat(graphs.Select(graph => graph.Html)),
            string.Join('\n', [artifact.ToString(), .. notes, .. graphs.Select(graph => graph.Plain)]));
    }

    /// <summary>What a graph was made into.</summary>
    public static MimeBundle Of(CompiledGraph compiled)
    {
        if (compiled.Executable is Graphs.Cpu.CpuExecutable cpu)
        {
            return CodeView.Of(cpu);
        }

        var why = $"runs operation by operation: {compiled.WhyInterpreted}";
        return MimeBundle.Of(Fragment.Box(Fragment.Note(why)), why);
    }

    /// <summary>As in <c>addmm</c> or <c>fused: mul, tanh</c>.</summary>
    public static string Operation(Node node) => node.Body is { } body
        ? $"fused: {string.Join(", ", body.Nodes.Select(inner => Name(inner.Operator)).Distinct().Take(5))}{(body.Nodes.Length > 5 ? " …" : "")}"
        : Name(node.Operator);

    /// <summary>Operations under the module that they belong to, as a program would write them; a line is as long as it is.</summary>
    private static IEnumerable<string> Lines(Graph graph, IReadOnlyDictionary<GraphInput, string> names)
    {
        foreach (var input in graph.Inputs.Where(input => input.Kind == GraphInputKind.Argument))
        {
            yield return $"%{input.Name}: {input.Type} = {input.Path}";
        }

        string? module = null;
        foreach (var node in graph.Nodes.Take(MostRows))
        {
            if (node.Origin.Module != module)
            {
                module = node.Origin.Module;
                yield return module == "" ? "(the module itself)" : module;
            }

            yield return $"    {string.Join(", ", node.Outputs.Select(output => output.ToString()))} = {Operation(node)}({Arguments(node, names)})".PadRight(LineColumn) + $"  // {Line(node.Origin)}";
        }

        if (graph.Nodes.Length > MostRows)
        {
            yield return $"and {Units.Count(graph.Nodes.Length - MostRows)} more";
        }

        yield return $"result: {string.Join(", ", graph.Outputs.Select(value => value.ToString()))}";
        foreach (var mutation in graph.Mutations)
        {
            yield return $"overwritten: {names.GetValueOrDefault(mutation.Target, mutation.Target.Path)} by %{mutation.Value.Name}";
        }
    }

    /// <summary>What the module's own tensors are called, where that tells them apart.</summary>
    private static Dictionary<GraphInput, string> Names(Graph graph) => graph.Inputs.Where(input => input.Kind != GraphInputKind.Argument).GroupBy(input => input.Path).Where(group => group.Count() == 1)
        .SelectMany(group => group).ToDictionary(input => input, input => input.Path, (IEqualityComparer<GraphInput>)ReferenceEqualityComparer.Instance);

    private static string Name(Operator op) => op.Name.StartsWith("aten::", StringComparison.Ordinal) ? op.Name["aten::".Length..] : op.Name;

    private static string Arguments(Node node, IReadOnlyDictionary<GraphInput, string> names) => string.Join(", ", node.Arguments.Select(argument => argument switch
    {
        ValueArgument { Value: GraphInput input } when names.TryGetValue(input, out var name) => name,
        _ => argument.ToString() ?? "",
    }).Where(text => text != "none"));

    private static string Line(Origin origin) => origin.File is null ? origin.Method : $"{Path.GetFileName(origin.File)}:{origin.Line}";
}
