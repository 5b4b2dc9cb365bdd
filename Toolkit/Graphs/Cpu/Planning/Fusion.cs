namespace Toolkit.Graphs.Cpu;

/// <summary>
/// Puts operations that one loop over memory can do into one node each (<see cref="Operators.Fused"/>): chains of pointwise operations, reductions over the last dimensions with what
/// precedes and follows them, neighbours that read one tensor, and a matrix product of few rows with what follows it. Every node keeps its meaning: the body of a fused node is a graph.
/// </summary>
internal sealed partial class Fusion
{
    /// <summary>Rows of a matrix product up to which a kernel of ours is faster than libtorch's: it reads each weight once.</summary>
    public const long FewRows = 8;

    private readonly Graph _graph;
    private readonly Dictionary<Node, Group> _groups = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Node, Node> _drawnBefore = new(ReferenceEqualityComparer.Instance);
    private readonly long _fewRows;

    private Fusion(Graph graph, long fewRows)
    {
        (_graph, _fewRows) = (graph, fewRows);
        Node? last = null;
        foreach (var node in graph.Nodes.Where(node => node.Operator.Kind == OperatorKind.Random))
        {
            if (last is not null)
            {
                _drawnBefore[node] = last;
            }

            last = node;
        }
    }

    /// <summary>What must run before a node: what makes its inputs and, for one that draws random numbers, the one that draws before it.</summary>
    private IEnumerable<Node> Before(Node node)
    {
        var producers = node.Inputs.Select(input => input.Producer).OfType<Node>();
        return _drawnBefore.TryGetValue(node, out var drawing) ? producers.Append(drawing) : producers;
    }

    /// <summary>The graph with fused nodes.</summary>
    /// <param name="graph">A pure graph.</param>
    /// <param name="isExcluded">Nodes to leave alone; null for none.</param>
    /// <param name="fewRows">Rows of a matrix product up to which it is fused.</param>
    public static Graph Apply(Graph graph, Func<Node, bool>? isExcluded = null, long fewRows = FewRows)
    {
        var fusion = new Fusion(graph, fewRows);
        for (var i = 0; i < graph.Nodes.Length; i++)
        {
            if (isExcluded?.Invoke(graph.Nodes[i]) != true)
            {
                fusion.Visit(graph.Nodes[i], i);
            }
        }

        fusion.MergeSiblings();
        fusion.Dissolve();
        return fusion.Rewrite();
    }

    /// <summary>Whether a node is a matrix product of few rows whose weight is a matrix.</summary>
    private bool IsFewRows(Node node)
    {
        if (MatrixProduct.Find(node) is not { } product || !product.Types.All(type => type.DType == product.Types[0].DType && type.Device == "cpu"))
        {
            return false;
        }

        return product.Rows <= _fewRows && product.Types[0].DType is TorchSharp.torch.ScalarType.Float32 or TorchSharp.torch.ScalarType.BFloat16 && product.Rows > 0 && product.Columns > 0 && product.Depth > 0;
    }

    /// <summary>Few rows that are long are better summed by all cores together, which libtorch does.</summary>
    private static bool IsTooLong(Node node, LoopDomain domain)
    {
        // Where the last dimension is kept, its neighbours are summed side by side, and a core wants many of them.
        var rows = domain.RowShape.Elements / (domain.Reduced is not null && domain.IsReduced(domain.Shape.Count - 1) ? 1 : 32);
        return domain.Reduced is not null && rows < 2 && domain.RowLength > 1 << 16 && node.Operator.Kind != OperatorKind.Pointwise;
    }

    private void Visit(Node node, int index)
    {
        if (IsFewRows(node))
        {
            _groups[node] = new(new(LoopDomain.Canonical(node.Output.Type.Shape), null), isVector: true, node, index) { HasProduct = true };
            return;
        }

        if (Lowerings.Find(node) is null || Lowerings.Domain(node) is not { } domain || IsTooLong(node, domain))
        {
            return;
        }

        var group = new Group(domain, Lowerings.IsVector(node), node, index);
        _groups[node] = group;
        foreach (var producer in node.Inputs.Select(input => input.Producer).OfType<Node>().Distinct<Node>(ReferenceEqualityComparer.Instance))
        {
            if (_groups.TryGetValue(producer, out var other) && other != _groups[node])
            {
                Merge(other, _groups[node]);
            }
        }
    }

    private void Merge(Group first, Group second)
    {
        if (first.IsVector != second.IsVector || (first.HasProduct && second.HasProduct) || first.Nodes.Count + second.Nodes.Count > 64
            || LoopDomain.Join(first.Domain, second.Domain) is not { } domain || ((first.HasProduct || second.HasProduct) && domain.Reduced is not null))
        {
            return;
        }

        var all = first.Nodes.Concat(second.Nodes).OrderBy(entry => entry.Key).ToArray();
        var members = all.Select(entry => entry.Value).ToHashSet<Node>(ReferenceEqualityComparer.Instance);
        if (!members.All(node => Fits(node, domain, members)) || IsCyclic(first, second))
        {
            return;
        }

        first.Domain = domain;
        first.HasProduct |= second.HasProduct;
        foreach (var (index, node) in second.Nodes)
        {
            first.Nodes.Add(index, node);
            _groups[node] = first;
        }
    }

    /// <summary>Whether the values that a member reads from other members stand where the loop has them.</summary>
    private bool Fits(Node node, LoopDomain domain, HashSet<Node> members)
    {
        if (MatrixProduct.Find(node) is not null && IsFewRows(node))
        {
            return !node.Inputs.Any(input => input.Producer is { } producer && members.Contains(producer));
        }

        var shape = Lowerings.LoopShape(node);
        var isFull = domain.IsFull(shape);
        if (!isFull && !domain.IsRow(shape))
        {
            return false;
        }

        foreach (var input in node.Inputs.Where(input => input.Producer is { } producer && members.Contains(producer)))
        {
            var own = input.Type.Shape;
            var fits = Lowerings.IsIdentityView(node) || LoopDomain.Canonical(own) == LoopDomain.Canonical(shape) ? domain.IsFull(own) || domain.IsRow(own)
                : isFull && domain.IsRow(own) && domain.IsAligned(own, shape);
            if (!fits)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether something outside of two groups reads one of them and is read by one of them: together they could not run at once.</summary>
    private bool IsCyclic(Group first, Group second)
    {
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var open = new Stack<Node>(first.Nodes.Values.Concat(second.Nodes.Values));
        while (open.TryPop(out var node))
        {
            foreach (var producer in Before(node))
            {
                var group = _groups.GetValueOrDefault(producer);
                if (group is not null && (group == first || group == second))
                {
                    if (_groups.GetValueOrDefault(node) is { } own && (own == first || own == second))
                    {
                        continue;
                    }

                    return true;
                }

                if (seen.Add((object?)group ?? producer))
                {
                    foreach (var next in group is null ? [producer] : group.Nodes.Values.AsEnumerable())
                    {
                        open.Push(next);
                    }
                }
            }
        }

        return false;
    }

    /// <summary>A view that nothing in its group reads is left a view; a product that nothing follows is left a product.</summary>
    private void Dissolve()
    {
        foreach (var group in _groups.Values.Distinct().ToArray())
        {
            while (group.Nodes.Where(entry => Lowerings.IsIdentityView(entry.Value) && !group.Nodes.Values.Any(user => user.Inputs.Contains(entry.Value.Output))).ToArray() is { Length: > 0 } views)
            {
                foreach (var (index, view) in views)
                {
                    group.Nodes.Remove(index);
                    _groups.Remove(view);
                }
            }

            // Views of what comes from outside cost nothing as layouts.
            while (group.Nodes.Where(entry => Lowerings.IsIdentityView(entry.Value) && !entry.Value.Inputs.Any(input => input.Producer is { } producer && _groups.GetValueOrDefault(producer) == group)).ToArray() is { Length: > 0 } outer)
            {
                foreach (var (index, view) in outer)
                {
                    group.Nodes.Remove(index);
                    _groups.Remove(view);
                }
            }
        }
    }

    private Graph Rewrite()
    {
        var builder = new GraphBuilder();
        builder.CopyInputs(_graph);
        var counts = _graph.UseCounts();
        var done = new HashSet<object>(ReferenceEqualityComparer.Instance);
        void Emit(Node node)
        {
            var group = _groups.GetValueOrDefault(node);
            if (!done.Add((object?)group ?? node))
            {
                return;
            }

            var members = group is null ? [node] : group.Nodes.Values.ToArray();
            foreach (var producer in members.SelectMany(Before))
            {
                Emit(producer);
            }

            if (group is null)
            {
                builder.Copy(node);
            }
            else
            {
                Fuse(builder, members, counts);
            }
        }

        foreach (var node in _graph.Nodes)
        {
            Emit(node);
        }

        return builder.BuildLike(_graph);
    }

    private static void Fuse(GraphBuilder builder, Node[] members, IReadOnlyDictionary<Value, int> counts)
    {
        var body = new GraphBuilder();
        var inputs = new List<Value>();
        var own = members.SelectMany(member => member.Outputs).ToHashSet<Value>(ReferenceEqualityComparer.Instance);
        var within = new Dictionary<Value, int>(ReferenceEqualityComparer.Instance);
        foreach (var member in members)
        {
            foreach (var input in member.Inputs)
            {
                within[input] = within.GetValueOrDefault(input) + 1;
                if (!own.Contains(input) && !inputs.Contains(input))
                {
                    inputs.Add(input);
                    body.Replace(input, body.Input(input.Type, GraphInputKind.Argument, input.Name));
                }
            }

            body.Copy(member);
        }

        var outputs = own.Where(value => counts.GetValueOrDefault(value) > within.GetValueOrDefault(value)).ToArray();
        if (outputs.Length == 0)
        {
            return;
        }

        builder.Origin = members[^1].Origin;
        var node = builder.Add(Operators.Fused, [new ValuesArgument([.. inputs.Select(builder.Of)])], [.. outputs.Select(output => output.Type)], body.Build(outputs.Select(body.Of)));
        for (var i = 0; i < outputs.Length; i++)
        {
            builder.Replace(outputs[i], node.Outputs[i]);
        }
    }

    /// <summary>Nodes that will be one.</summary>
    private sealed class Group(LoopDomain domain, bool isVector, Node first, int index)
    {
        public LoopDomain Domain { get; set; } = domain;

        public bool IsVector { get; } = isVector;

        public bool HasProduct { get; set; }

        public SortedList<int, Node> Nodes { get; } = new() { [index] = first };
    }
}
