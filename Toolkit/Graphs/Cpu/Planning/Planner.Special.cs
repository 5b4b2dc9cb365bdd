namespace Toolkit.Graphs.Cpu;

internal sealed partial class Planner
{
    /// <summary>Operators with a kernel of their own.</summary>
    private bool LowerSpecial(Node node) => node.Operator.Name switch
    {
        "aten::cat" => LowerCat(node),
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
            Copy(_layouts[part], target.Slice(dimension, start, length, 1), node);
            start += length;
        }

        return true;
    }
}
