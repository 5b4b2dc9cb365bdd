using Onnx;
using Toolkit.Graphs.Capture;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Models for any sizes of dynamic dimensions.</content>
internal sealed partial class OnnxExporter
{
    private const int MostShifts = 8;

    /// <summary>
    /// Writes a file whose dynamic dimensions have any size: graphs for some sizes are written one beside the other, and where only numbers differ these are computed from the sizes. A model says by itself
    /// which sizes it is not for: running it with such a size is an error that names the condition.
    /// </summary>
    /// <param name="family">The calls.</param>
    /// <param name="path">The file.</param>
    /// <param name="tensor">The tensor of an input by its place; null for an argument.</param>
    /// <param name="name">Name of an argument by its place.</param>
    /// <param name="order">Where an argument stands among those of the call, by its place.</param>
    /// <param name="input">The input of the graph that an argument of the call is; -1 for one that it does not read.</param>
    /// <exception cref="GraphException">Some operators have no counterpart, or do not follow the sizes in ONNX.</exception>
    public static void Export(SizeFamily family, string path, Func<int, Tensor?> tensor, Func<int, string?> name, Func<int, int> order, Func<int, int> input)
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        if (family.Conditions.ComparesReals)
        {
            throw new GraphException("ONNX export: the program compares real numbers that depend on sizes, which an ONNX model cannot check: compare whole numbers, or export without dynamic dimensions");
        }

        var places = family.Places.Select(own => own.Where(place => input(place.Argument) >= 0).Select(place => (Input: name(input(place.Argument))!, place.Dimension)).ToArray()).ToArray();
        if (Array.FindIndex(places, own => own.Length == 0) is >= 0 and var missing)
        {
            throw new GraphException($"ONNX export: the values of the argument that has {string.Join(", ", family.Places[missing])} are not read: export without this dynamic dimension");
        }

        OnnxSizeException? problem = null;
        for (var shift = 0; shift < MostShifts; shift++)
        {
            // For some sizes (a size of 8 beside a width of 8) operations go that others need: others are tried then.
            var points = new SizePoints([.. family.Points.Base.Select((size, i) => size + (shift * family.Points.Steps[i]))], family.Points.Steps);
            var all = Enumerable.Range(0, points.Changes.Count).Select(point => family.Returned(points.At(point))).ToArray();
            if (!Array.TrueForAll(all, graph => graph is not null))
            {
                continue;
            }

            try
            {
                Write(family, points, all!, places, path, tensor, name, order);
                return;
            }
            catch (OnnxSizeException differs)
            {
                problem ??= differs;
            }
        }

        throw new GraphException($"ONNX export: {problem?.Message ?? "its operations do not follow the sizes"}: export it without dynamic dimensions", problem ?? new OnnxSizeException("no sizes fit"));
    }

    private static void Write(SizeFamily family, SizePoints points, Graph[] graphs, (string Input, int Dimension)[][] places, string path, Func<int, Tensor?> tensor, Func<int, string?> name, Func<int, int> order)
    {
        var exporters = Array.ConvertAll(graphs, graph => new OnnxExporter(graph));
        var fixedNodes = exporters[0].SameConstants(exporters);
        var protos = Array.ConvertAll(exporters, exporter => exporter.WriteOnly(fixedNodes, exporter != exporters[0], tensor, name, order));
        var union = new OnnxUnion(points, protos, exporters[0]._emitter);

        // Other sizes must come out as is foretold.
        foreach (var more in new[] { 1, 3 })
        {
            foreach (var changed in Enumerable.Range(-1, points.Base.Length + 1))
            {
                long[] sizes = [.. points.Base.Select((size, i) => changed < 0 || changed == i ? size + more : size)];
                if (family.Returned(sizes) is { } graph)
                {
                    union.RequireFollowed(Other(graph), sizes);
                }
            }
        }

        // What no condition tells must be so for all sizes: into how many parts something is cut.
        foreach (var size in Enumerable.Range(2, 127).Concat([192, 255, 256, 257, 511, 512, 513, 1000, 1023, 1024, 1025, 2048, 4096]))
        {
            foreach (var changed in Enumerable.Range(0, points.Base.Length))
            {
                if (family.Difference([.. points.Base.Select((own, i) => changed == i ? size : own)]) is { } difference)
                {
                    throw new OnnxSizeException($"where {string.Join(", ", family.Places[changed])} is {size}, {difference}");
                }
            }
        }

        union.Complete(places, Least(family, points, graphs), family.Conditions.Integers);
        Save(protos[0], path, [("dynamic", string.Join(", ", union.Names)), .. union.Requirements.Count == 0 ? Array.Empty<(string, string)>() : [("requires", string.Join(", ", union.Requirements))]]);

        GraphProto Other(Graph graph)
        {
            var other = new OnnxExporter(graph);
            return exporters[0]._graph.Nodes.Length == other._graph.Nodes.Length ? other.WriteOnly(fixedNodes, true, tensor, name, order) : throw new OnnxSizeException("for some sizes it has other operations than for others");
        }
    }

    /// <summary>
    /// The least that each size may be: sizes of 1 and 0 are cases of their own where something has another shape then than follows from the sizes. Those that the program's own conditions exclude do not
    /// count.
    /// </summary>
    private static long[] Least(SizeFamily family, SizePoints points, Graph[] graphs)
    {
        var shapes = Array.ConvertAll(graphs, graph => graph.Values.Select(value => value.Type.Shape.ToArray()).ToArray());
        var count = points.Base.Length;
        long[] least = [.. Enumerable.Range(0, count).Select(i => !Follows(With((i, 1))) ? 2L : !Follows(With((i, 0))) ? 1 : 0)];
        foreach (var (i, j) in from i in Enumerable.Range(0, count) from j in Enumerable.Range(0, i) select (i, j))
        {
            if ((from a in new[] { 1L, 0 } from b in new[] { 1L, 0 } where a >= least[i] && b >= least[j] select (a, b)).Any(pair => !Follows(With((i, pair.a), (j, pair.b)))))
            {
                (least[i], least[j]) = (2, 2);
            }
        }

        return least;

        long[] With(params ReadOnlySpan<(int Size, long Number)> changes)
        {
            var sizes = (long[])points.Base.Clone();
            foreach (var (size, number) in changes)
            {
                sizes[size] = number;
            }

            return sizes;
        }

        bool Follows(long[] sizes) => !family.Conditions.Hold(sizes) || (family.Returned(sizes, 0) is { } graph && graph.Values.Select((value, v) => (value, v)).All(pair =>
            pair.value.Type.Shape.Count == shapes[0][pair.v].Length
            && Enumerable.Range(0, shapes[0][pair.v].Length).All(d => new SizeForm(points, Array.ConvertAll(shapes, own => own[pair.v][d])).At(sizes) == pair.value.Type.Shape[d])));
    }

    /// <summary>The nodes whose values are the same constants in all.</summary>
    private HashSet<int> SameConstants(OnnxExporter[] all)
    {
        if (Array.Exists(all, other => other._graph.Nodes.Length != _graph.Nodes.Length))
        {
            throw new OnnxSizeException("for some sizes it has other operations than for others");
        }

        return [.. Enumerable.Range(0, _graph.Nodes.Length).Where(n => Array.TrueForAll(all, other => _graph.Nodes[n].Outputs.Zip(other._graph.Nodes[n].Outputs).All(pair =>
            _constants.TryGetValue(pair.First, out var a) && other._constants.TryGetValue(pair.Second, out var b) && a.dtype == b.dtype && a.shape.AsSpan().SequenceEqual(b.shape) && a.eq(b).all().item<bool>())))];
    }

    /// <summary>Writes it, with those constants alone.</summary>
    /// <param name="constants">The nodes that are constants.</param>
    /// <param name="isOutline">Whether weights are without values: they are the same for all sizes, and are written once.</param>
    /// <param name="tensor">The tensor of an input by its place.</param>
    /// <param name="name">Name of an argument by its place.</param>
    /// <param name="order">Where an argument stands.</param>
    private GraphProto WriteOnly(HashSet<int> constants, bool isOutline, Func<int, Tensor?> tensor, Func<int, string?> name, Func<int, int> order)
    {
        for (var n = 0; n < _graph.Nodes.Length; n++)
        {
            if (!constants.Contains(n))
            {
                foreach (var output in _graph.Nodes[n].Outputs)
                {
                    _constants.Remove(output);
                }
            }
        }

        _isOutline = isOutline;
        return Write(tensor, name, order);
    }
}

/// <summary>Models for different sizes differ in more than numbers.</summary>
internal sealed class OnnxSizeException(string why) : Exception(why);
