using System.Globalization;
using System.Text;
using Toolkit.Graphs;

namespace Toolkit.Display;

/// <summary>A graph as a picture: operations as boxes coloured by what they do, arguments and results as rounded ones; large graphs by modules.</summary>
internal static class GraphDrawing
{
    /// <summary>More operations than this are drawn as one box a module.</summary>
    public const int MostBoxes = 90;

    /// <summary>Fewer boxes than this say too little: then operations are put together by source lines.</summary>
    private const int FewestBoxes = 4;

    /// <summary>What so many boxes read is named in those that are far below instead of drawn to each.</summary>
    private const int MostReaders = 4;

    private const double LineHeight = 14;
    private const double CharacterWidth = 6.7;

    private const string Style = """
        <style>
        .tk-graph svg{width:100%;height:auto;display:block;margin:auto}
        .tk-graph{max-height:560px;overflow:auto;border:1px solid rgba(128,128,128,.25);border-radius:6px;padding:8px}
        .tk-graph text{font:11px ui-monospace,Consolas,monospace;fill:currentColor;text-anchor:middle}
        .tk-graph .m{opacity:.6;font-size:10px}
        .tk-graph rect{stroke:rgba(128,128,128,.6);stroke-width:1}
        .tk-graph path{fill:none;stroke:rgba(128,128,128,.75);stroke-width:1.2}
        .tk-graph .g0{fill:rgba(128,128,128,.10)}.tk-graph .g1{fill:rgba(59,130,196,.28)}.tk-graph .g2{fill:rgba(224,142,46,.30)}.tk-graph .g3{fill:rgba(76,166,92,.28)}
        .tk-graph .g4{fill:rgba(146,104,192,.28)}.tk-graph .g5{fill:rgba(204,84,94,.26)}.tk-graph .g6{fill:rgba(128,128,128,.04)}
        .tk-key span{padding:1px 6px;border-radius:3px;margin-right:6px;font-size:11px}
        </style>
        """;

    /// <summary>The picture as HTML.</summary>
    public static string Html(Graph graph)
    {
        var boxes = Boxes(graph);
        var places = boxes.Select((box, i) => (box, i)).SelectMany(pair => pair.box.Values.Select(value => (value, pair.i))).ToDictionary(pair => pair.value, pair => pair.i, (IEqualityComparer<Value>)ReferenceEqualityComparer.Instance);
        var edges = Drawn(boxes, [.. boxes.SelectMany((box, i) => box.Reads.Where(places.ContainsKey).Select(value => (From: places[value], To: i))).Where(edge => edge.From != edge.To).Distinct()]);
        var sizes = boxes.Select(box => ((box.Lines.Max(line => line.Length) * CharacterWidth) + 16, (box.Lines.Count * LineHeight) + 8)).ToArray();
        var layout = GraphLayout.Of(sizes, edges);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg style=\"min-width:{0.7 * (layout.Width + 4):F0}px;max-width:{layout.Width + 4:F0}px\" viewBox=\"-2 -2 {layout.Width + 4:F0} {layout.Height + 4:F0}\" role=\"img\">");
        foreach (var route in layout.Edges)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"{Curve(route)}\"/>");
        }

        for (var i = 0; i < boxes.Count; i++)
        {
            Append(svg, boxes[i], layout.Boxes[i], sizes[i]);
        }

        return $"{Style}{Key(boxes)}<div class=\"tk-graph\">{svg}</svg></div>";
    }

    /// <summary>
    /// What is made once and read everywhere (a mask, a position, a table of angles) would cross the whole picture: the boxes that read it far below, and something else besides, name it; the first of its
    /// readers does not.
    /// </summary>
    private static (int From, int To)[] Drawn(List<Box> boxes, (int From, int To)[] edges)
    {
        var layers = new int[boxes.Count];
        foreach (var (from, to) in edges.OrderBy(edge => edge.To))
        {
            layers[to] = Math.Max(layers[to], layers[from] + 1);
        }

        var readers = edges.GroupBy(edge => edge.From).ToDictionary(group => group.Key, group => (Count: group.Count(), First: group.MinBy(edge => layers[edge.To])));
        bool IsLong((int From, int To) edge) => readers[edge.From] is var (count, first) && count > MostReaders && edge != first && layers[edge.To] - layers[edge.From] > 1;
        var drawn = edges.GroupBy(edge => edge.To).SelectMany(group => group.All(IsLong) ? group : group.Where(edge => !IsLong(edge))).ToArray();
        foreach (var group in edges.Except(drawn).GroupBy(edge => edge.To))
        {
            var box = boxes[group.Key];
            var names = group.Select(edge => boxes[edge.From].Lines[0]).Distinct().ToArray();
            boxes[group.Key] = box with { Lines = [.. box.Lines, $"↑ {string.Join(", ", names.Take(2))}{(names.Length > 2 ? $" and {names.Length - 2} more" : "")}"] };
        }

        return drawn;
    }

    private static string Key(List<Box> boxes) =>
        "<div class=\"tk-key tk-graph\" style=\"border:0;padding:2px 0\">" + string.Concat(new[] { ("1", "pointwise"), ("2", "product"), ("3", "reduction, norm, attention"), ("4", "fused"), ("6", "view"), ("5", "random or opaque") }
            .Where(entry => boxes.Exists(box => box.Group.ToString(CultureInfo.InvariantCulture) == entry.Item1))
            .Select(entry => $"<span style=\"background:{Colour(entry.Item1)}\">{entry.Item2}</span>")) + "</div>";

    private static string Colour(string group) => group switch
    {
        "1" => "rgba(59,130,196,.28)",
        "2" => "rgba(224,142,46,.30)",
        "3" => "rgba(76,166,92,.28)",
        "4" => "rgba(146,104,192,.28)",
        "5" => "rgba(204,84,94,.26)",
        _ => "rgba(128,128,128,.14)",
    };

    private static string Curve(IReadOnlyList<(double X, double Y)> points)
    {
        var path = new StringBuilder();
        path.Append(CultureInfo.InvariantCulture, $"M{points[0].X:F1} {points[0].Y:F1}");
        for (var i = 1; i < points.Count; i++)
        {
            var (a, b) = (points[i - 1], points[i]);
            var middle = (a.Y + b.Y) / 2;
            path.Append(CultureInfo.InvariantCulture, $"C{a.X:F1} {middle:F1} {b.X:F1} {middle:F1} {b.X:F1} {b.Y:F1}");
        }

        return path.ToString();
    }

    private static void Append(StringBuilder svg, Box box, (double X, double Y) at, (double Width, double Height) size)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<g><title>{Fragment.Encode(box.Tip)}</title><rect class=\"g{box.Group}\" x=\"{at.X - (size.Width / 2):F1}\" y=\"{at.Y - (size.Height / 2):F1}\" width=\"{size.Width:F1}\" height=\"{size.Height:F1}\" rx=\"{(box.IsEnd ? size.Height / 2 : 4):F0}\"/>");
        for (var i = 0; i < box.Lines.Count; i++)
        {
            var y = at.Y - (size.Height / 2) + 4 + (LineHeight * (i + 0.78));
            svg.Append(CultureInfo.InvariantCulture, $"<text{(i > 0 ? " class=\"m\"" : "")} x=\"{at.X:F1}\" y=\"{y:F1}\">{Fragment.Encode(box.Lines[i])}</text>");
        }

        svg.Append("</g>");
    }

    private static List<Box> Boxes(Graph graph)
    {
        var boxes = graph.Inputs.Where(input => input.Kind == GraphInputKind.Argument)
            .Select(input => new Box([input.Path, input.Type.ToString()], input.ToString(), 0, true, [input], [])).ToList();
        boxes.AddRange(graph.Nodes.Length <= MostBoxes ? graph.Nodes.Select(Single) : ByModule(graph));
        boxes.AddRange(graph.Outputs.Select((value, i) => new Box([graph.Outputs.Length == 1 ? "result" : $"result {i}", value.Type.ToString()], value.ToString(), 0, true, [], [value])));
        boxes.AddRange(graph.Mutations.Select(mutation => new Box([$"→ {mutation.Target.Path}"], $"overwrites {mutation.Target}", 0, true, [], [mutation.Value])));
        return boxes;
    }

    private static Box Single(Node node)
    {
        List<string> lines = [GraphView.Operation(node)];
        var held = node.Inputs.OfType<GraphInput>().Where(input => input.Kind != GraphInputKind.Argument).Select(input => input.Path).Distinct().ToArray();
        if (held.Length > 0)
        {
            lines.Add(string.Join(", ", held.Take(2)) + (held.Length > 2 ? $" and {held.Length - 2} more" : ""));
        }

        lines.Add(string.Join(", ", node.Outputs.Take(2).Select(output => output.Type.ToString())));
        return new(lines, $"{node}\n{node.Origin}", Group(node), false, [.. node.Outputs], [.. node.Inputs]);
    }

    /// <summary>Neighbouring nodes of one module together; the deepest paths that leave few enough boxes.</summary>
    private static List<Box> ByModule(Graph graph)
    {
        var deepest = graph.Nodes.Max(node => Depth(node.Origin.Module));
        var boxes = new List<Box>();
        for (var depth = deepest; depth >= 0; depth--)
        {
            boxes = [.. Runs(graph, depth).Select(run => Together(run.Module, run.Nodes))];
            if (boxes.Count <= MostBoxes)
            {
                break;
            }
        }

        return boxes.Count >= FewestBoxes ? boxes : ByLine(graph);
    }

    /// <summary>Neighbouring nodes of one source line together, where modules tell little; from the top, as many as fit.</summary>
    private static List<Box> ByLine(Graph graph)
    {
        var runs = new List<(string Line, List<Node> Nodes)>();
        foreach (var node in graph.Nodes)
        {
            var line = (node.Origin with { Module = "" }).ToString();
            if (runs.Count == 0 || runs[^1].Line != line)
            {
                runs.Add((line, []));
            }

            runs[^1].Nodes.Add(node);
        }

        List<Node> rest = [.. runs.Skip(MostBoxes - 1).SelectMany(run => run.Nodes)];
        return [.. runs.Take(MostBoxes - 1).Select(run => Together(run.Line, run.Nodes)), .. rest.Count == 0 ? Array.Empty<Box>() : [Together("what follows", rest)]];
    }

    private static List<(string Module, List<Node> Nodes)> Runs(Graph graph, int depth)
    {
        var runs = new List<(string Module, List<Node> Nodes)>();
        foreach (var node in graph.Nodes)
        {
            var module = string.Join('.', node.Origin.Module.Split('.').Take(depth));
            if (runs.Count == 0 || runs[^1].Module != module)
            {
                runs.Add((module, []));
            }

            runs[^1].Nodes.Add(node);
        }

        return runs;
    }

    private static Box Together(string module, List<Node> nodes)
    {
        if (nodes is [var single])
        {
            var box = Single(single);
            return module == "" ? box : box with { Lines = [module, .. box.Lines.Take(1)] };
        }

        var tip = string.Join('\n', nodes.Take(40));
        var kinds = nodes.Select(node => node.Operator.Name.Split("::")[^1].Split('.')[0]).Distinct().ToArray();
        return new(
            [module == "" ? "(the module itself)" : module, $"{nodes.Count} operations: {string.Join(" ", kinds.Take(4))}{(kinds.Length > 4 ? " …" : "")}"],
            tip, 0, false, [.. nodes.SelectMany(node => node.Outputs)], [.. nodes.SelectMany(node => node.Inputs)]);
    }

    private static int Depth(string module) => module == "" ? 0 : module.Split('.').Length;

    private static int Group(Node node) => node.Operator.Kind switch
    {
        OperatorKind.Pointwise => 1,
        OperatorKind.Product => 2,
        OperatorKind.Reduction => 3,
        OperatorKind.Fused => 4,
        OperatorKind.Random => 5,
        OperatorKind.View or OperatorKind.Factory => 6,
        _ => node.Operator.Name.StartsWith("torchsharp::", StringComparison.Ordinal) ? 5 : 3,
    };

    /// <param name="Lines">What is written in it.</param>
    /// <param name="Tip">What is told when a pointer rests on it.</param>
    /// <param name="Group">Its colour.</param>
    /// <param name="IsEnd">Whether it is something that is given or returned.</param>
    /// <param name="Values">What it makes.</param>
    /// <param name="Reads">What it reads.</param>
    private sealed record Box(IReadOnlyList<string> Lines, string Tip, int Group, bool IsEnd, IReadOnlyList<Value> Values, IReadOnlyList<Value> Reads);
}
