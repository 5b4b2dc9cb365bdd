using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

internal sealed partial class Planner
{
    private readonly List<(KernelBuffer Cell, string Message)> _checks = [];

    /// <summary>Operators with a kernel of their own.</summary>
    private bool LowerSpecial(Node node) => node.Operator.Name switch
    {
        "aten::cat" => LowerCat(node),
        "toolkit::attention" or "aten::scaled_dot_product_attention" => LowerAttention(node),
        "toolkit::rotary" => LowerRotary(node),
        "aten::embedding" => LowerGather(node, "weight", "indices"),
        "aten::index_select" => new OperatorCall(node.Operator, node.Arguments).Integer("dim") == 0 && LowerGather(node, "self", "index"),
        "aten::index_copy" => LowerIndexCopy(node),
        "aten::slice_scatter" or "aten::select_scatter" => LowerSliceScatter(node),
        _ => false,
    };

    /// <summary>Each part is copied to its place.</summary>
    private bool LowerCat(Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        var parts = call.ValueList("tensors").OfType<Value>().ToArray();
        var shape = node.Output.Type.Shape;
        if (NumberKinds.Of(node.Output.Type.DType) is null || node.Output.Type.Device != "cpu" || parts.Any(part => part.Type.Shape.Count != shape.Count || NumberKinds.Of(part.Type.DType) is null))
        {
            return false;
        }

        var (target, dimension, start) = (Target(node.Output), call.Integer("dim"), 0L);
        foreach (var part in parts)
        {
            var length = part.Type.Shape[(int)dimension];
            if (length > 0)
            {
                Copy(_layouts[part], target.Slice(dimension, start, length, 1), node);
            }

            start += length;
        }

        return true;
    }

    private bool LowerAttention(Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        var isEngine = node.Operator.Name == "toolkit::attention";
        if (call.Type(isEngine ? "q" : "query").Shape.Count != 4 || (!isEngine && call.Number("dropout_p") != 0))
        {
            return false;
        }

        // ATen's layout is (B, H, T, D).
        Layout Own(string name) => isEngine ? _layouts[call.Value(name)] : _layouts[call.Value(name)].Transpose(1, 2);
        var (q, k, v) = isEngine ? (Own("q"), Own("k"), Own("v")) : (Own("query"), Own("key"), Own("value"));
        var maskName = isEngine ? "mask" : "attn_mask";
        var mask = call.Has(maskName) ? _layouts[call.Value(maskName)].Expand([q.Sizes[0], q.Sizes[2], q.Sizes[1], k.Sizes[1]]) : null;
        long? offset = mask is not null ? null : isEngine ? k.Sizes[1] - q.Sizes[1] : call.Flag("is_causal") ? 0 : null;
        var scale = call.Has("scale") ? call.Number("scale") : 1 / Math.Sqrt(q.Sizes[3]);
        double? cap = isEngine && call.Has("soft_cap") ? call.Number("soft_cap") : null;
        if ((_isSizeless && q.Sizes[1] > 1) || q.Sizes[2] % k.Sizes[2] != 0 || q.Sizes[0] != k.Sizes[0] || !AttentionEmitter.Fits(new(q, k, v, q, mask, scale, cap, offset), _width) || node.Outputs.Length != 1)
        {
            return false;
        }

        (q, k, v) = (Rows(q, node), Rows(k, node), Rows(v, node));
        var target = Target(node.Output);
        Add(AttentionEmitter.Emit(new(q, k, v, isEngine ? target : target.Transpose(1, 2), mask, scale, cap, offset), _width), [node], target.Buffer);
        return true;
    }

    private bool LowerRotary(Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        if (!node.Inputs.Concat(node.Outputs).All(value => value.Type.DType is ScalarType.Float32 or ScalarType.BFloat16 && value.Type.Device == "cpu" && value.Type.Elements > 0))
        {
            return false;
        }

        var x = Rows(_layouts[call.Value("x")], node);
        long[] angles = [x.Sizes[0], x.Sizes[1], 1, call.Type("cos").Shape[^1]];
        var target = Target(node.Output);
        Add(RowEmitter.Rotary(x, Rows(_layouts[call.Value("cos")].Expand(angles), node), Rows(_layouts[call.Value("sin")].Expand(angles), node), target, _width), [node], target.Buffer);
        return true;
    }

    private bool LowerGather(Node node, string tableName, string numbersName)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        var table = _layouts[call.Value(tableName)];
        if (table.Sizes.Length < 1 || NumberKinds.Of(table.DType) is null || node.Inputs.Concat(node.Outputs).Any(value => value.Type.Device != "cpu" || value.Type.Elements == 0))
        {
            return false;
        }

        table = table.Sizes.Length == 2 ? table : Contiguous(table, node).Reshape([table.Sizes[0], table.Sizes.Skip(1).Aggregate(1L, (product, size) => product * size)])!;
        var target = Target(node.Output);
        Add(RowEmitter.Gather(Rows(table, node), Contiguous(_layouts[call.Value(numbersName)], node), target, Status($"{node.Operator.Name}: {{0}} is no row of a table of {table.Sizes[0]} rows")), [node], target.Buffer);
        return true;
    }

    private bool LowerIndexCopy(Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        var (self, rank) = (call.Type("self"), call.Type("self").Shape.Count);
        var dimension = (int)(call.Integer("dim") < 0 ? call.Integer("dim") + rank : call.Integer("dim"));
        if (dimension >= rank - 1 || NumberKinds.Of(self.DType) is null || call.Type("source").DType != self.DType || call.Type("index").Shape.Count > 1 || self.Elements == 0 || call.Type("source").Elements == 0)
        {
            return false;
        }

        var target = Updated(node, call.Value("self"));
        var numbers = _layouts[call.Value("index")].Reshape([call.Type("index").Elements])!;
        var status = Status($"{node.Operator.Name}: {{0}} is no place of a dimension of {self.Shape[dimension]}");
        Update(RowEmitter.Scatter(target, dimension, numbers, _layouts[call.Value("source")], status), node, target);
        return true;
    }

    private bool LowerSliceScatter(Node node)
    {
        var call = new OperatorCall(node.Operator, node.Arguments);
        var self = call.Type("self");
        if (NumberKinds.Of(self.DType) is null || self.Elements == 0 || call.Type("src").Elements == 0)
        {
            return false;
        }

        var target = Updated(node, call.Value("self"));
        Layout part;
        if (node.Operator.Name == "aten::select_scatter")
        {
            part = target.Select(call.Integer("dim"), call.Integer("index"));
        }
        else
        {
            var dimension = (int)call.Integer("dim");
            var extent = self.Shape[dimension];
            var start = call.Has("start") ? call.Integer("start") : 0;
            part = target.Slice(dimension, Math.Clamp(start < 0 ? start + extent : start, 0, extent), call.Type("src").Shape[dimension], call.Integer("step"));
        }

        Update(LoopEmitter.Emit(LoopBuilder.Copy(_layouts[call.Value("src")].Expand(part.Sizes), part), _width, _isSizeless), node, target);
        return true;
    }

    /// <summary>Where a changed copy of a value is to be: in place, where it will overwrite the input that it is a changed copy of and nobody wants the old values any more; else a copy.</summary>
    private Layout Updated(Node node, Value self)
    {
        if (IsOverwritten(node, self))
        {
            _layouts[node.Output] = _layouts[self];
            return _layouts[self];
        }

        var target = Target(node.Output);
        Copy(_layouts[self], target, node);
        return target;
    }

    private void Update(KernelCode code, Node node, Layout target) => _steps.Add(new KernelStep { Nodes = [node], Code = code, Outputs = [target.Buffer], IsUpdate = true });

    private bool IsOverwritten(Node node, Value self)
    {
        // Through a chain of updates of one input: each is in place if the last is.
        var last = node.Output;
        while (_graph.Nodes.FirstOrDefault(user => user.Inputs.Contains(last) && user.Operator.Name is "aten::index_copy" or "aten::slice_scatter" or "aten::select_scatter" && user.Inputs.First() == last) is { } next)
        {
            last = next.Output;
        }

        if (!_graph.Mutations.Any(mutation => mutation.Value == last && _layouts[mutation.Target] == _layouts[self]))
        {
            return false;
        }

        // The old values, and views of them, must not be read later.
        var buffer = _layouts[self].Buffer;
        var old = _layouts.Where(entry => entry.Value.Buffer == buffer).Select(entry => entry.Key).ToHashSet<Value>(ReferenceEqualityComparer.Instance);
        var isLater = false;
        foreach (var other in _graph.Nodes)
        {
            if (isLater && other.Inputs.Any(old.Contains))
            {
                return false;
            }

            isLater |= other == node;
        }

        return !_graph.Outputs.Any(old.Contains) && !_graph.Mutations.Any(mutation => old.Contains(mutation.Value)) && !node.Inputs.Skip(1).Any(old.Contains);
    }

    private KernelBuffer Status(string message)
    {
        var cell = New(BufferKind.Status, _checks.Count, ScalarType.Int64, 2);
        _checks.Add((cell, message));
        return cell;
    }

    /// <summary>The same values with the last dimension in one piece: copied, if it is not.</summary>
    private Layout Rows(Layout layout, Node reason) => layout.Strides[^1] == 1 || layout.Sizes[^1] == 1 ? layout : Contiguous(layout, reason);
}
